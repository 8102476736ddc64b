// Two of Alice's Mailkeeps are paired through their pages: the old one lets the new one in. With a script the pages go on by
// themselves; without one they are loaded again.
import { check, env, story, until } from './browser.mjs';
import { open, press, says, shot, words } from './devices_page.mjs';

/** Up to where the new one shows its numbers and the old one waits for them. */
async function numbers(old, fresh) {
  await says(fresh, 'Ask to be let in');
  await press(fresh, 'Ask to be let in');
  await says(fresh, 'Let this one on, on your other device');
  await shot(fresh, 'asking');
  await says(old, 'A program asks to be let in');
  check(words(await old.locator('.pairing').innerText()).includes('It calls itself “Mailkeep”. Its number is'), 'what it calls itself');
  await shot(old, 'asked');
  await press(old, 'Let it on');
  await says(fresh, 'Type these numbers into the other device');
  await shot(fresh, 'shows');
  await says(old, 'Type the numbers that the new device shows');
  check(!/\d{4} \d{4} \d{4}/.test(words(await old.locator('.pairing').innerText())), 'the old device never shows them');
  await shot(old, 'types');
  return words(await fresh.locator('.pairing .code-groups').innerText());
}

story(async (browser, state) => {
  const [old, fresh] = [await open(browser, env.OLD), await open(browser, env.NEW)];
  state.page = old;
  await says(old, 'A program that calls itself Mailkeep');
  await shot(old, 'noticed');

  if (env.FIRST === 'yes') {
    // The inbox says so, until it is told not to.
    await old.goto(`${env.OLD}/`);
    const notice = old.locator('.reminder', { hasText: 'A program that calls itself Mailkeep reads this mailbox.' });
    check((await notice.count()) === 1, 'the inbox says that another one was noticed');
    await shot(old, 'inbox');
    await notice.getByRole('button', { name: 'Not now' }).click();
    await until('it to go when it was told to', async () => (await notice.count()) === 0);
    await old.goto(`${env.OLD}/devices`);

    // Other numbers end it on both.
    const right = await numbers(old, fresh);
    const wrong = right.replace(/\d/g, (digit) => (digit === '9' ? '1' : '9'));
    await old.fill('input[name=sas]', wrong);
    await press(old, 'These are the numbers');
    check((await old.locator('[role=alert]').innerText()).includes('were not the same'), 'why it ended');
    await shot(old, 'wrong');
    await old.goto(`${env.OLD}/devices`);
    await says(fresh, 'Nobody was let in');
    await shot(fresh, 'ended');
  }

  const right = await numbers(old, fresh);
  await old.fill('input[name=sas]', right);
  // By the field, which waits for what it began: a page that is loaded again at once would take the numbers back.
  await old.press('input[name=sas]', 'Enter');
  await says(old, 'Now say on the new device that they were taken');
  await shot(old, 'typed');
  await press(fresh, 'It took them');
  await says(fresh, 'The two are paired');
  await says(old, 'The two are paired');
  await shot(fresh, 'done');
  await press(old, 'Close');
  await fresh.goto(`${env.NEW}/devices`);
  await press(fresh, 'Close');
  await until('nothing to go on any more', async () => (await fresh.locator('.pairing').count()) === 0);

  // A name given on one is the other's, too.
  const mine = fresh.locator('article', { hasText: 'this one' });
  await mine.locator('summary').click();
  await mine.locator('input[name=name]').fill(env.NAME);
  await mine.getByRole('button', { name: 'Save' }).click();
  await fresh.waitForURL(/\/devices$/);
  await says(fresh, env.NAME);
  await says(old, env.NAME);
  await shot(old, 'paired');
  check(fresh.troubles.length === 0, `no trouble on the way: ${fresh.troubles.join('; ')}`);
});
