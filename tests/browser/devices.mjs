// Two of Alice's Mailkeeps are paired through their pages: the old one lets the new one in. With a script the pages go on by
// themselves; without one they are loaded again.
import { check, env, signIn, story, until, watched } from './browser.mjs';

const scripted = env.JAVASCRIPT === 'on';
const words = (text) => text.replace(/\s+/g, ' ').trim();

/** Waits until the page of devices says something. */
async function says(page, text) {
  if (scripted) {
    await page.waitForFunction((wanted) => document.getElementById('main').innerText.includes(wanted), text, { timeout: 120_000 });
    return;
  }
  // It asks anew by itself while it waits, so that one of both may come in between.
  await until(text, async () => {
    await page.goto(new URL('/devices', page.url()).href).catch(() => {});
    return (await page.locator('main').innerText().catch(() => '')).includes(text);
  });
}

const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

async function shot(page, name) {
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
  const open = async (base) => {
    const context = await browser.newContext({ javaScriptEnabled: scripted, viewport: { width: 1280, height: 860 } });
    const page = await watched(context, base);
    await signIn(page, base, env.PASSPHRASE);
    return page;
  };
  const [old, fresh] = [await open(env.OLD), await open(env.NEW)];
  state.page = old;
  await old.goto(`${env.OLD}/devices`);
  await fresh.goto(`${env.NEW}/devices`);
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
  await old.keyboard.press('Enter');
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
