// What the pages say of private mail, and what they do about keys. With JAVASCRIPT=off the same is told and done.
import { check, env, signIn, story, until, watched } from './browser.mjs';

const base = env.BASE;
const scripted = env.JAVASCRIPT === 'on';
const sizes = [{ width: 390, height: 844 }, { width: 1280, height: 860 }];

const trustOf = (page) => page.locator('details.trust > summary').last().innerText();
const words = (text) => text.replace(/\s+/g, ' ').trim();

/** The line of the composer once it says `wanted`. Without a script it is told when the draft is saved. */
async function line(page, wanted) {
  if (!scripted) {
    await page.locator('button[name=do][value=save]').last().click();
    await page.waitForURL(/draft=/);
  }
  return until(`the line to say ${wanted}`, async () => {
    const text = words(await page.locator('[data-forecast]').innerText());
    return wanted.test(text) ? text : null;
  });
}

async function writeTo(page, name, people) {
  if (!(await page.locator('#c-cc').isVisible())) await page.locator('details.copies > summary').click();
  await page.fill(`#c-${name}`, people);
  if (scripted) await page.press(`#c-${name}`, 'Enter');
}

story(async (browser, state) => {
  const context = await browser.newContext({ javaScriptEnabled: scripted, viewport: { width: 1280, height: 900 } });
  const page = await watched(context, base);
  state.page = page;
  await signIn(page, base, env.PASSPHRASE);
  if (env.SHOTS && scripted) await pictures(browser);

  // The list: a lock where mail was private, a warning where the key is another, nothing beside ordinary mail.
  await page.goto(`${base}/`);
  const row = (subject) => page.locator('article[data-message-id]').filter({ hasText: subject });
  check((await row('seeds').locator('.fact').innerText()).includes('Private'), 'the private thread says so');
  check((await row('a new machine').locator('.fact.caution').count()) === 1, 'the different key is a caution');
  check((await row('the fence').locator('.fact').count()) === 0, 'of ordinary mail nothing is said');
  check((await page.locator('.reminder').count()) === 1, 'the list reminds of a copy of the keys');

  // The thread: the line under the sender, and its details.
  await page.goto(`${base}/threads/${env.PRIVATE}`);
  check(/Private\s*·\s*same key since \d+ \w+ \d{4}/.test(await trustOf(page)), `the trust line: ${await trustOf(page)}`);
  check(/1 of its 3 messages could be read/.test(await page.locator('.weakest').innerText()), 'the heading says the weakest');
  if (scripted) await page.keyboard.press('.');
  else await page.locator('details.trust > summary').last().click();
  const more = page.locator('.trust-more').last();
  await until('the details', () => more.isVisible());
  check(/([0-9A-F]{4} ){9}[0-9A-F]{4}/.test(await more.innerText()), 'the fingerprint in groups');
  check(words(await page.locator('button[data-send]').innerText()) === 'Send privately', 'the quick answer says that it stays private');
  await page.goto(`${base}/messages/${env.CHANGED}`);
  check(/wrote with a different key/.test(await trustOf(page)), 'a different key is said');

  // The composer: what will happen, as soon as it is known to whom it goes.
  await page.goto(`${base}/compose`);
  await writeTo(page, 'to', env.BOB);
  await line(page, /Will be private/);
  check(words(await page.locator('button[data-send]').innerText()) === 'Send privately', 'the button names what it does');
  await writeTo(page, 'cc', env.CAROL);
  await line(page, /readable by mail servers: no key for carol/i);
  check(words(await page.locator('button[data-send]').innerText()) === 'Send', 'and so it does now');
  await page.locator('[data-why] > summary').click();
  check((await page.locator('[data-why] li').count()) === 2, 'of each it is said why');
  await page.selectOption('select[name=encrypt]', 'yes');
  await line(page, /Cannot be private: no key for carol/i);
  check((await page.locator('.undecided').count()) === 1, 'the key that waits is offered');

  // Leaving privacy says what leaks.
  await page.goto(`${base}/compose?reply=${env.PRIVATE}`);
  await line(page, /Will be private/);
  await page.selectOption('select[name=encrypt]', 'no');
  await line(page, /answering private mail.*left out/);
  await page.selectOption('select[name=encrypt]', 'auto');
  await line(page, /Will be private/);

  // To go on with the new key, without losing what was written; then the answer goes out.
  await page.locator('textarea[name=body]').fill('Thursday it is.');
  await page.locator('.undecided button[value^=key-accept]').click();
  await page.waitForURL(/draft=/);
  check((await page.locator('textarea[name=body]').inputValue()).includes('Thursday it is.'), 'what was written is there');
  check((await page.locator('.undecided').count()) === 0, 'and nothing waits any more');
  await page.locator('button[name=do][value=send]').click();
  await page.waitForURL((url) => url.pathname !== '/compose');

  // Contacts: in words, and one with all that is known.
  await page.goto(`${base}/contacts`);
  const bob = page.locator('.contact').filter({ hasText: env.BOB });
  check((await bob.locator('.key-words').innerText()).includes('same key'), 'the list of contacts says it');
  await bob.locator('a.open').click();
  await page.waitForURL(/\/contacts\//);
  check((await page.locator('svg.qr').count()) === 2, 'both codes are there');
  await page.fill('#typed', '0123 4567');
  await page.locator('.typed button').click();
  check((await page.locator('[role=alert]').innerText()).includes('not the fingerprint'), 'a short form proves nothing');
  check((await page.locator('#history li').count()) >= 2, 'the decisions are told');

  // Keys: the copy, behind the passphrase; the code of a Setup Message.
  await page.goto(`${base}/keys`);
  await page.fill('#copy-passphrase', 'not the passphrase');
  await page.locator('form[action="/keys/copy"] button').click();
  check((await page.locator('[role=alert]').innerText()).includes('not the passphrase'), 'a wrong one gives nothing');
  await page.fill('#copy-passphrase', env.PASSPHRASE);
  const [file] = await Promise.all([page.waitForEvent('download'), page.locator('form[action="/keys/copy"] button').click()]);
  check(file.suggestedFilename() === 'mailkeep-keys.asc', 'the copy is a file');
  await page.goto(`${base}/`);
  check((await page.locator('.reminder').count()) === 0, 'nothing reminds of it any more');
  await page.goto(`${base}/keys`);
  await page.locator('form[action="/keys/setup-message"] button').click();
  check((await page.locator('.code-groups > span:not(.vh)').count()) === 9, 'nine groups of digits');
  check(/^\d{4}$/.test(await page.locator('.code-groups > span').first().innerText()), 'of four each');

  // Settings.
  await page.goto(`${base}/settings`);
  await page.locator('input[name=private]').uncheck();
  await page.locator('form[action="/settings/privacy"] button').click();
  await page.waitForURL(/#privacy/);
  check(!(await page.locator('input[name=private]').isChecked()), 'it stays as it was set');
});

async function pictures(browser) {
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of sizes) {
      const context = await browser.newContext({ colorScheme, viewport, deviceScaleFactor: viewport.width === 390 ? 2 : 1 });
      const page = await watched(context, base);
      await signIn(page, base, env.PASSPHRASE);
      const shot = async (name, path, before = async () => {}) => {
        if (path) await page.goto(`${base}${path}`);
        await before();
        await page.waitForTimeout(300);
        await page.screenshot({ path: `${env.SHOTS}/private-${name}-${viewport.width}-${colorScheme}.png`, fullPage: true });
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        check(width <= viewport.width, `${name} at ${viewport.width} px is ${width} px wide`);
      };
      await shot('inbox', '/');
      await shot('thread', `/threads/${env.PRIVATE}`, () => page.locator('details.trust > summary').last().click());
      await shot('changed', `/messages/${env.CHANGED}`);
      await shot('compose', `/compose?to=${encodeURIComponent(`${env.BOB}, ${env.CAROL}`)}`, () => page.locator('[data-why] > summary').click());
      await shot('reply', `/compose?reply=${env.PRIVATE}`, async () => {
        await page.selectOption('select[name=encrypt]', 'no');
        await page.locator('.leak').waitFor();
      });
      await shot('contacts', '/contacts');
      await shot('contact', `/contacts/${encodeURIComponent(env.BOB)}`);
      await shot('keys', '/keys');
      await shot('code', null, async () => {
        await page.locator('form[action="/keys/setup-message"] button').click();
        await page.locator('.setup-code').waitFor();
      });
      await shot('settings', '/settings#privacy');
      await shot('setup', '/setup?step=privacy');
      await context.close();
    }
  }
}
