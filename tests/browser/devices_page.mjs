// What the stories of /devices share: the page is opened, pressed, read and looked at, with a script or without one.
import { PATIENCE, check, env, signIn, until, watched } from './browser.mjs';

/** Whether the page goes on by itself; without a script it is loaded again. */
export const scripted = env.JAVASCRIPT !== 'off';

export const words = (text) => text.replace(/\s+/g, ' ').trim();

export const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

/** The page of devices of the server at `base`, by whoever knows the passphrase. */
export async function open(browser, base) {
  const context = await browser.newContext({ javaScriptEnabled: scripted, viewport: { width: 1280, height: 860 } });
  const page = await watched(context, base);
  await signIn(page, base, env.PASSPHRASE);
  await page.goto(`${base}/devices`);
  return page;
}

/** Waits until the page of devices says something. */
export async function says(page, text) {
  if (scripted) {
    await page.waitForFunction((wanted) => document.getElementById('main').innerText.includes(wanted), text, { timeout: PATIENCE * 1000 });
    return;
  }
  // It asks anew by itself while it waits, so that one of both may come in between.
  await until(text, async () => {
    await page.goto(new URL('/devices', page.url()).href).catch(() => {});
    return (await page.locator('main').innerText().catch(() => '')).includes(text);
  });
}

/** Pictures of the page, at phone and at desk width, light and dark, where somebody wants to look at them. */
export async function shot(page, name) {
  if (!env.SHOTS) return;
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[390, 844], [1280, 860]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(200);
      await page.screenshot({ path: `${env.SHOTS}/devices-${name}-${width}-${colorScheme}.png`, fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      check(wide <= width, `${name} at ${width} px is ${wide} px wide`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 860 });
}
