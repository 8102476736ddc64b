// Two of Alice's Mailkeeps are paired through their pages by a code: the old one shows it, and it is typed into the new one.
import { check, env, story, until } from './browser.mjs';
import { open, press, says, scripted, shot as picture, words } from './devices_page.mjs';

const shot = (page, name) => picture(page, `by-code-${name}`);

/** The old one shows a code; gives it as it stands there. */
async function shows(old) {
  await old.locator('details.by-code > summary').click();
  await press(old, 'Show a code');
  await old.waitForSelector('.device-code .qr');
  check(/\/devices$/.test(old.url()), 'the code stands in no address');
  return words(await old.locator('.device-code .code-groups').innerText());
}

/** It is typed into the new one. */
async function types(fresh, code) {
  if (!(await fresh.locator('details.by-code').evaluate((it) => it.open))) await fresh.locator('details.by-code > summary').click();
  await fresh.fill('textarea[name=code]', code);
  await shot(fresh, 'type');
  await press(fresh, 'Pair with this code');
}

/** What it says was read. */
async function closes(page) {
  await press(page, 'Close');
  await until('nothing to go on any more', async () => (await page.locator('.pairing').count()) === 0);
}

story(async (browser, state) => {
  const [old, fresh] = [await open(browser, env.OLD), await open(browser, env.NEW)];
  state.page = old;

  // A letter is wrong: it says so, and nobody is asked.
  const first = await shows(old);
  check(/^sma1:( [0-9A-Z]{4}){18}$/.test(first), `how the code reads: ${first}`);
  await shot(old, 'code');
  const last = first.at(-1);
  const mistyped = first.slice(0, -1) + (last === '7' ? '8' : '7');
  await types(fresh, mistyped);
  check((await fresh.locator('[role=alert]').innerText()).includes('mistyped'), 'what is wrong with it');
  check((await fresh.locator('textarea[name=code]').inputValue()) === mistyped, 'it can be mended there');
  await shot(fresh, 'mistyped');

  // Another code takes the place of the first one, and burns with it.
  await press(old, 'End it');
  const second = await shows(old);
  check(first !== second, 'each code is another');
  await fresh.goto(`${env.NEW}/devices`);
  await types(fresh, first);
  await says(fresh, 'Nobody was let in');
  await says(fresh, 'shown more than ten minutes ago');
  await shot(fresh, 'wrong');
  await says(old, 'Nobody was let in');
  await closes(old);
  await fresh.goto(`${env.NEW}/devices`);
  await closes(fresh);

  const code = await shows(old);
  await fresh.goto(`${env.NEW}/devices`);
  await types(fresh, code.toLowerCase());
  if (scripted) {
    await says(fresh, 'The two prove to each other');
    await shot(fresh, 'proving');
  }
  await says(fresh, 'The two are paired');
  await says(old, 'The two are paired');
  await shot(old, 'done');
  await closes(old);
  await old.locator('details.by-code > summary').click();
  // A paired one may let in a third, and is not let in itself.
  check(await old.getByRole('button', { name: 'Show a code' }).isVisible(), 'it may show another code');
  check((await old.locator('textarea[name=code]').count()) === 0, 'and is told none');
  await shot(old, 'paired');
  check(fresh.troubles.length === 0, `no trouble on the way: ${fresh.troubles.join('; ')}`);
});
