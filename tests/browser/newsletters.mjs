// Each newsletter before and after, side by side: as a browser shows it that has no network, and as Mailkeep shows it, at
// 1280 and 390 px, light and dark. One picture for each newsletter, and `report.txt` with what was measured.
//
// LIST is a file with [{ name, before: FILE, after: ADDRESS }]; SHOTS the folder for the pictures. With BASE and PASSPHRASE
// it signs in first.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { env, signIn, start } from './browser.mjs';

const SIZES = [{ width: 1280, height: 860 }, { width: 390, height: 844 }];
const HIGHEST = 1800;

const list = JSON.parse(readFileSync(env.LIST, 'utf8'));
const browser = await start();
const report = [];
let wide = 0;

/** A page whose every way out is shut, but for what `lets` lets through. */
async function page(viewport, colorScheme, lets) {
  const context = await browser.newContext({ viewport, colorScheme, javaScriptEnabled: false });
  await context.route('**', (route) => (lets(new URL(route.request().url())) ? route.continue() : route.abort()));
  return context.newPage();
}

const picture = async (page) => {
  const height = await page.evaluate(() => Math.max(document.documentElement.scrollHeight, 60));
  const { width } = page.viewportSize();
  return page.screenshot({ fullPage: true, clip: { x: 0, y: 0, width, height: Math.min(height, HIGHEST) } });
};

const measured = () => {
  const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
  return { scrollWidth, clientWidth, scrollHeight, clientHeight };
};

const shots = new Map(list.map(({ name }) => [name, []]));
for (const viewport of SIZES) {
  for (const colorScheme of ['light', 'dark']) {
    const before = await page(viewport, colorScheme, (url) => url.protocol === 'data:' || url.href.endsWith('.html') && url.protocol === 'file:');
    const after = await page(viewport, colorScheme, (url) => ['data:', 'file:'].includes(url.protocol) || url.hostname === '127.0.0.1' || url.hostname.endsWith('.localhost'));
    if (env.PASSPHRASE) await signIn(after, env.BASE, env.PASSPHRASE);
    for (const one of list) {
      const shot = async (what, page, address) => {
        await page.goto(address, { waitUntil: 'load', timeout: 30_000 });
        shots.get(one.name).push({ what: `${what} ${viewport.width} ${colorScheme}`, width: viewport.width, bytes: await picture(page) });
      };
      if (colorScheme === 'light') await shot('before', before, pathToFileURL(one.before).href);
      await shot('after', after, one.after);
      const frame = after.frames().find((frame) => frame !== after.mainFrame());
      const size = await (frame ?? after).evaluate(measured);
      if (size.scrollWidth > size.clientWidth) wide += 1;
      report.push([one.name, viewport.width, colorScheme, `wide ${size.scrollWidth}/${size.clientWidth}`, `high ${size.scrollHeight}/${size.clientHeight}`,
        size.scrollWidth > size.clientWidth ? 'SCROLLS SIDEWAYS' : ''].join('\t'));
    }
    await before.context().close();
    await after.context().close();
  }
}

const sheet = await browser.newPage({ viewport: { width: 1900, height: 1000 } });
for (const [name, pictures] of shots) {
  const figures = pictures.map(({ what, width, bytes }) =>
    `<figure style="margin:0;width:${width === 1280 ? 560 : 270}px"><figcaption>${what}</figcaption>`
    + `<img style="width:100%;border:1px solid #888" src="data:image/png;base64,${bytes.toString('base64')}"></figure>`);
  await sheet.setContent('<body style="margin:8px;font:13px sans-serif;background:#ddd"><h3 style="margin:0 0 8px"></h3>'
    + `<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:start">${figures.join('')}</div>`, { waitUntil: 'load' });
  await sheet.locator('h3').evaluate((heading, words) => { heading.textContent = words; }, name);
  await sheet.screenshot({ path: `${env.SHOTS}/${name}.png`, fullPage: true });
}
writeFileSync(`${env.SHOTS}/report.txt`, `${report.join('\n')}\n`);
console.log(`${list.length} newsletters; ${wide} of ${report.length} views scroll sideways`);
await browser.close();
