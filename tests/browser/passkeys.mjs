// Passkeys at the remote door, in a real browser with an authenticator that Chromium plays. What stands before Mailkeep and speaks
// TLS is played by this script: it hands every name on to the remote door.
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { createServer } from 'node:tls';
import { check, env, run, until } from './browser.mjs';

const require = createRequire(`${env.MAILKEEP_BROWSER_MODULES}/`);
const { chromium } = require('playwright-core');

const BASE = 'https://mail.alice.test';
const OTHER = 'https://evil.mail.alice.test';
const cert = readFileSync(env.CERT);
const key = readFileSync(env.KEY);
const spare = env.SPARE.split(' ');
const mailkeep = (...args) => JSON.parse(run(env.MAILKEEP, ['--data', env.DATA, '--passphrase-file', env.PASSPHRASE_FILE, '--json', 'remote', ...args]));

const front = createServer({ cert, key }, (near) => {
  const far = connect(Number(env.REMOTE_PORT), '127.0.0.1');
  near.pipe(far);
  far.pipe(near);
  for (const end of [near, far]) end.on('error', () => { near.destroy(); far.destroy(); });
});
await new Promise((ready) => front.listen(0, '127.0.0.1', ready));
const { port } = front.address();

const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
const context = await chromium.launchPersistentContext(env.PROFILE, {
  executablePath: env.MAILKEEP_CHROMIUM || '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    `--host-resolver-rules=MAP mail.alice.test:443 127.0.0.1:${port}, MAP evil.mail.alice.test:443 127.0.0.1:${port}, MAP * ~NOTFOUND`,
    `--ignore-certificate-errors-spki-list=${createHash('sha256').update(spki).digest('base64')}`,
  ],
});

/** A page with an authenticator of its own behind it. */
async function withAuthenticator() {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(error.message));
  page.on('console', (line) => {
    if (line.type() === 'error' && !/status of 4\d\d/.test(line.text())) page.troubles.push(line.text());
  });
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
    },
  });
  return { page, devtools, authenticatorId };
}

const told = (page) => page.locator('[data-passkey-trouble]').innerText();
const fits = async (page) => !(await page.locator('body').innerText()).includes('That did not fit');

/** Asks the door, and lets the authenticator answer on whatever page this is. */
const ask = (page) => page.evaluate(async () => {
  const csrf = document.querySelector('input[name=csrf]').value;
  const answer = await fetch('/unlock/passkey', { method: 'POST', body: new URLSearchParams({ csrf }) });
  return answer.json();
});
const sign = (page, options) => page.evaluate(async (publicKey) => {
  const held = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  return JSON.stringify(held);
}, options.publicKey);
/** Fills in the door as any program could; whether it opened. */
const enter = (page, passphrase, ceremony, passkey) => page.evaluate(async ([passphrase, ceremony, passkey]) => {
  const csrf = document.querySelector('input[name=csrf]').value;
  const body = new URLSearchParams({ csrf, passphrase, ceremony, passkey, code: '' });
  const answer = await fetch('/unlock', { method: 'POST', body, redirect: 'manual' });
  return answer.type === 'opaqueredirect' ? 'in' : String(answer.status);
}, [passphrase, ceremony, passkey]);

async function atTheDoor(page) {
  // A page that is left listens for nothing any more.
  await page.goto('about:blank');
  await context.clearCookies();
  await page.goto(`${BASE}/unlock`);
}

async function byPasskey(page, passphrase) {
  await atTheDoor(page);
  await page.fill('#passphrase', passphrase);
  await page.click('[data-passkey]');
}

async function shots(page) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [390, 1280]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      for (const [name, path] of [['remote', '/settings/remote#passkeys'], ['sign-in', '/unlock']]) {
        if (name === 'sign-in') await atTheDoor(page);
        else await byPasskey(page, env.PASSPHRASE).then(() => page.waitForSelector('[role=search]'));
        await page.goto(`${BASE}${path}`);
        await page.waitForTimeout(300);
        await page.screenshot({ path: `${env.SHOTS}/passkeys-${name}-${width}-${colorScheme}.png`, fullPage: true });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        check(wide <= width, `${name} at ${width} px is ${wide} px wide`);
      }
    }
  }
}

async function byCode(page) {
  await atTheDoor(page);
  await page.fill('#passphrase', env.PASSPHRASE);
  await page.fill('#code', spare.pop());
  await page.click('button[type=submit]');
  await page.waitForSelector('[role=search]');
}

async function story() {
  const { page, devtools, authenticatorId } = await withAuthenticator();
  // Before there is one the door looks the same, and asks the same.
  await atTheDoor(page);
  const before = await ask(page);
  check(before.options.publicKey.allowCredentials.length === 0, 'nobody is told of a key');
  await byPasskey(page, env.PASSPHRASE);
  await until('that there is none', async () => /No passkey was used/.test(await told(page)));

  // Alice adds one, with her passphrase.
  await byCode(page);
  await page.goto(`${BASE}/settings/remote`);
  await page.fill('#passkey-name', 'Laptop');
  await page.fill('#passkey-passphrase', 'not the passphrase');
  await page.click('[data-passkey]');
  await until('the wrong passphrase to be told', async () => /not the passphrase/.test(await told(page)));
  const held = async () => (await devtools.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  check((await held()).length === 0, 'nothing was made');
  await page.fill('#passkey-passphrase', env.PASSPHRASE);
  await page.click('[data-passkey]');
  await page.waitForURL(/#passkeys/);
  check((await page.locator('#passkeys li').innerText()).includes('for mail.alice.test, not used yet'), 'it is listed');
  const [made] = await held();
  check(made.isResidentCredential && made.rpId === 'mail.alice.test', `what was made: ${JSON.stringify(made)}`);
  check(!/alice|lab/.test(`${made.userName}${made.userDisplayName}`), 'it bears no address');

  // The same device twice is none the better.
  await page.fill('#passkey-name', 'Again');
  await page.fill('#passkey-passphrase', env.PASSPHRASE);
  await page.click('[data-passkey]');
  await until('that it is there already', async () => /has a passkey/.test(await told(page)));

  // With it she gets in; with one of the two nobody does.
  await byPasskey(page, env.PASSPHRASE);
  await page.waitForSelector('[role=search]');
  check(mailkeep('passkey', 'list')[0].last_used !== null, 'that it was used is noted');
  await byPasskey(page, 'not the passphrase');
  await until('the door to stay shut', async () => !(await fits(page)));
  check((await page.locator('#passphrase').inputValue()) === '', 'and nothing is filled in');
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await byPasskey(page, env.PASSPHRASE);
  await until('that its holder is not known to it', async () => /No passkey was used/.test(await told(page)));
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });

  // An answer counts once, for what was asked, and from our own page.
  await atTheDoor(page);
  const first = await ask(page);
  const answer = await sign(page, first.options);
  check((await enter(page, env.PASSPHRASE, first.ceremony, answer)) === 'in', 'the first time');
  await atTheDoor(page);
  check((await enter(page, env.PASSPHRASE, first.ceremony, answer)) === '401', 'the second time');
  const second = await ask(page);
  check((await enter(page, env.PASSPHRASE, second.ceremony, answer)) === '401', 'for another question');
  check((await enter(page, env.PASSPHRASE, second.ceremony, await sign(page, second.options))) === '401', 'a question was used up, too');
  const third = await ask(page);
  const elsewhere = await context.newPage();
  elsewhere.setDefaultTimeout(60_000);
  const devtools2 = await context.newCDPSession(elsewhere);
  await devtools2.send('WebAuthn.enable');
  const copy = await devtools2.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  const [now] = await held();
  await devtools2.send('WebAuthn.addCredential', { authenticatorId: copy.authenticatorId, credential: { ...now, signCount: now.signCount + 100 } });
  await elsewhere.goto(`${OTHER}/`);
  const phished = await sign(elsewhere, third.options);
  check(Buffer.from(JSON.parse(phished).response.clientDataJSON, 'base64url').includes(OTHER), 'it was signed on another page');
  check((await enter(page, env.PASSPHRASE, third.ceremony, phished)) === '401', 'on another page');
  // That one was a copy with a count of its own: from our own page it is taken, and then the older count shows that there are two.
  await elsewhere.goto(`${BASE}/unlock`);
  const fourth = await ask(elsewhere);
  check((await enter(elsewhere, env.PASSPHRASE, fourth.ceremony, await sign(elsewhere, fourth.options))) === 'in', 'from our own page');
  await atTheDoor(page);
  const fifth = await ask(page);
  check((await enter(page, env.PASSPHRASE, fifth.ceremony, await sign(page, fifth.options))) === '401', 'the count of a copy does not go back');
  await elsewhere.close();

  // Removed is removed, and so are its sessions.
  await byCode(page);
  check(mailkeep('session', 'list').length > 1, 'several sessions were begun');
  await page.goto(`${BASE}/settings/remote`);
  await page.locator('form[action="/settings/remote/passkey/remove"] button').click();
  await page.waitForURL(/#passkeys/);
  const left = mailkeep('session', 'list');
  check(mailkeep('passkey', 'list').length === 0, 'it is gone');
  check((await page.goto(`${BASE}/`)).url() === `${BASE}/`, 'who came by a code stays');
  check(left.length > 0, 'and is listed');
  await byPasskey(page, env.PASSPHRASE);
  await until('the removed one to open nothing', async () => !(await fits(page)));

  // A new one, for what the story goes on with.
  await devtools.send('WebAuthn.clearCredentials', { authenticatorId });
  await byCode(page);
  await page.goto(`${BASE}/settings/remote`);
  await page.fill('#passkey-name', 'Phone');
  await page.fill('#passkey-passphrase', env.PASSPHRASE);
  await page.click('[data-passkey]');
  await page.waitForURL(/#passkeys/);
  await byPasskey(page, env.PASSPHRASE);
  await page.waitForSelector('[role=search]');
  if (env.SHOTS) await shots(page);
  check(page.troubles.length === 0, `no trouble on the way: ${page.troubles.join('; ')}`);
}

try {
  await story();
} catch (error) {
  console.error(error.stack);
  for (const page of context.pages()) {
    console.error(`at ${page.url()}`);
    console.error((await page.locator('body').innerText().catch(() => '')).slice(0, 2000));
  }
  process.exitCode = 1;
} finally {
  await context.close();
  front.close();
}
