// A message that tries everything: nothing runs, nothing is asked for, nothing is drawn outside its frame.
import { check, env, signIn, story, watched } from './browser.mjs';

story(async (browser, state) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await watched(context, env.BASE);
  state.page = page;
  await page.addInitScript(() => { window.alert = () => { document.title = 'OWNED'; }; });
  let dialogs = 0;
  page.on('dialog', async (dialog) => { dialogs += 1; await dialog.dismiss(); });
  await signIn(page, env.BASE, env.PASSPHRASE);
  await page.goto(`${env.BASE}/messages/${env.MESSAGE}?view=html`);
  const element = page.locator('iframe[data-message-frame]');
  await element.scrollIntoViewIfNeeded();
  const frame = page.frameLocator('iframe[data-message-frame]');
  await frame.locator('text=The visible words').waitFor();
  await page.waitForTimeout(1500); // what was to happen would have happened
  check(dialogs === 0, 'no dialog came up');
  check(!(await page.title()).includes('OWNED'), 'the page is as it was');
  check(page.url() === `${env.BASE}/messages/${env.MESSAGE}?view=html`, 'the page stays where it is');
  for (const forbidden of ['script', 'iframe', 'object', 'embed', 'form', 'input', 'base', 'meta[http-equiv=refresh]', 'link[rel=stylesheet]', 'svg', 'math']) {
    check((await frame.locator(forbidden).count()) === 0, `no ${forbidden} in the frame`);
  }
  const html = await frame.locator('html').evaluate((node) => node.outerHTML);
  for (const attribute of [' onerror', ' onload', ' onclick', 'javascript:', 'tracker.example']) {
    check(!html.includes(attribute), `no ${attribute} in the frame`);
  }
  // A link opens somewhere else, never in place of our page.
  for (const link of await frame.locator('a[href]').all()) {
    check(['_blank', null].includes(await link.getAttribute('target')), 'links leave by a new page');
    check(/^(https?:|mailto:|\/|#)/.test(await link.getAttribute('href')), 'links are of harmless kinds');
  }
  // Its script-less origin cannot reach ours.
  const box = await element.boundingBox();
  check(box.width <= 1280, 'the frame stays within the page');
});
