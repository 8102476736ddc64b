// A picture of every page at 390 and 1280 px, light and dark, of the demo store.
import { check, env, signIn, story, watched } from './browser.mjs';

const sizes = [{ width: 390, height: 844 }, { width: 1280, height: 860 }];

story(async (browser, state) => {
  const passphrase = env.SAID.match(/passphrase[^\n]*?[:"“]\s*"?“?([^"”\n]+)["”]?/i)?.[1]?.trim();
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of sizes) {
      const context = await browser.newContext({ colorScheme, viewport, deviceScaleFactor: viewport.width === 390 ? 2 : 1 });
      const page = await watched(context, env.BASE);
      page.troubles = [];
      state.page = page;
      const shot = async (name) => {
        await page.waitForTimeout(300);
        await page.screenshot({ path: `${env.SHOTS}/${name}-${viewport.width}-${colorScheme}.png` });
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        check(width <= viewport.width, `${name} at ${viewport.width} px is ${width} px wide`);
      };
      await page.goto(`${env.FRESH}/`);
      await shot('setup');
      page.troubles.length = 0;
      await page.goto(`${env.BASE}/unlock`);
      if (await page.locator('input[type=password]').count()) {
        await shot('unlock');
        await signIn(page, env.BASE, passphrase);
      }
      await page.goto(`${env.BASE}/`);
      await shot('inbox');
      const ids = await page.locator('article[data-message-id]').evaluateAll((all) => all.map((a) => a.dataset.messageId));
      check(ids.length > 0, 'the demo has mail');
      await page.goto(`${env.BASE}/threads/${ids[0]}`);
      await shot('thread');
      await page.goto(`${env.BASE}/messages/${ids[1] ?? ids[0]}`);
      await shot('message');
      await page.goto(`${env.BASE}/search?q=has:attachment`);
      await shot('search');
      await page.goto(`${env.BASE}/search?q=tag:newsletters`);
      const html = await page.locator('article[data-message-id]').first().getAttribute('data-message-id');
      await page.goto(`${env.BASE}/messages/${html}?view=html`);
      await page.frameLocator('iframe[data-message-frame]').locator('body').waitFor();
      await shot('message-html');
      // The page on the way out, where a link within the frame leads.
      const link = await page.frameLocator('iframe[data-message-frame]').locator('a[href]').first().getAttribute('href');
      await page.goto(new URL(link, env.BASE).href);
      await shot('leave');
      const found = async (name, query) => {
        await page.goto(`${env.BASE}/search?q=${encodeURIComponent(query)}`);
        const id = await page.locator('article[data-message-id]').first().getAttribute('data-message-id');
        await page.goto(`${env.BASE}/messages/${id}`);
        await shot(name);
        return id;
      };
      const linked = async (name, end) => {
        const way = await page.locator(`a[href$="${end}"]`).first().getAttribute('href');
        await page.goto(new URL(way, env.BASE).href);
        await page.waitForFunction(() => [...document.images].every((image) => image.complete));
        await shot(name);
      };
      await found('invited', 'subject:"Signing, Saltmarsh Reach"');
      await linked('invitation', '/preview');
      const document = await found('document', 'has:attachment subject:"Programme for the winter concert"');
      await linked('document-preview', '/preview');
      await page.goto(`${env.BASE}/messages/${document}`);
      await linked('document-copy', '/copy');
      await found('pictures', 'has:attachment subject:"Photographs of the boathouse"');
      await linked('picture-copy', '/copy');
      await found('cautions', 'in:spam subject:invoice');
      await found('imitated', 'in:spam subject:"account has been limited"');
      await page.goto(`${env.BASE}/search?q=${encodeURIComponent('(garden')}`);
      await shot('search-not-understood');
      await page.goto(`${env.BASE}/search?q=nobodyeverwrotethis`);
      await shot('search-empty');
      await page.goto(`${env.BASE}/compose?reply=${ids[0]}`);
      await shot('reply');
      for (const name of ['compose', 'settings', 'contacts', 'keys', 'devices', 'network', 'outbox', 'status']) {
        await page.goto(`${env.BASE}/${name}`);
        await shot(name);
      }
      await context.close();
    }
  }
});
