// Alice removes a device on the page of another one; it says so there, and begins anew.
import { check, env, signIn, story, watched } from './browser.mjs';

story(async (browser, state) => {
  const open = async (base) => {
    const page = await watched(await browser.newContext({ viewport: { width: 1280, height: 860 } }), base);
    await signIn(page, base, env.PASSPHRASE);
    await page.goto(`${base}/devices`);
    return page;
  };
  const says = (page, text) => page.waitForFunction(
    (wanted) => document.getElementById('main').innerText.includes(wanted), text, { timeout: 120_000 });
  const shot = async (page, name) => {
    if (!env.SHOTS) return;
    for (const colorScheme of ['light', 'dark']) {
      for (const [width, height] of [[390, 844], [1280, 860]]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height });
        await page.waitForTimeout(200);
        await page.screenshot({ path: `${env.SHOTS}/devices-${name}-${width}-${colorScheme}.png`, fullPage: true });
      }
    }
  };
  const [kept, gone] = [await open(env.KEPT), await open(env.GONE)];
  state.page = kept;
  const one = kept.locator('article', { hasText: env.NAME });
  await one.locator('summary', { hasText: 'Remove' }).click();
  await shot(kept, 'remove');
  await one.getByRole('button', { name: `Remove ${env.NAME}` }).click();
  await says(kept, `${env.NAME} was removed`);
  check((await kept.getByRole('button', { name: /^Make a new key/ }).count()) === 1, 'a new key is offered');
  await shot(kept, 'removed');
  await says(gone, 'This Mailkeep was removed by another of your devices.');
  await shot(gone, 'out');
  await gone.getByRole('button', { name: 'Begin anew' }).click();
  await says(gone, 'Ask to be let in');
  await kept.goto(`${env.KEPT}/devices`);
  await says(kept, 'A program that calls itself Mailkeep');
  check((await kept.locator('.gone summary').innerText()) === 'Removed (1)', 'the old number stays removed');
  check(gone.troubles.length === 0, `no trouble on the way: ${gone.troubles.join('; ')}`);
});
