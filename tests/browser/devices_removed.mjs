// Alice removes a device on the page of another one; it says so there, and begins anew.
import { check, env, story } from './browser.mjs';
import { open, says, shot } from './devices_page.mjs';

story(async (browser, state) => {
  const [kept, gone] = [await open(browser, env.KEPT), await open(browser, env.GONE)];
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
