// What the browser scripts share: Debian's Chromium by playwright-core, small assertions, and a watch on what pages ask for.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.MAILKEEP_BROWSER_MODULES}/`);
const { chromium } = require('playwright-core');

export const env = process.env;

/** What Chromium asks of its maker by itself, whatever page is open: it finds none of these names. All others it looks up. */
const ITS_OWN = [
  'accounts.google.com', 'clients2.google.com', 'update.googleapis.com', 'content-autofill.googleapis.com',
  'optimizationguide-pa.googleapis.com',
];

/** How the browser is started in every story. */
export const QUIETLY = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-component-update', '--disable-sync',
  `--host-resolver-rules=${ITS_OWN.map((name) => `MAP ${name} ~NOTFOUND`).join(',')}`,
];

export const start = () => chromium.launch({
  executablePath: env.MAILKEEP_CHROMIUM || '/usr/bin/chromium', args: [...QUIETLY, '--disable-background-networking'],
});

/** After so many seconds a story is broken. It is generous, and only there so that it ends. */
export const PATIENCE = 300;

export function check(is, what) {
  if (!is) throw new Error(`not so: ${what}`);
}

/** A page that remembers every trouble: script errors, refused content, requests that leave this machine. */
export async function watched(context, base) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.setDefaultNavigationTimeout(60_000);
  page.troubles = [];
  page.on('pageerror', (error) => page.troubles.push(`script error: ${error.message}`));
  page.on('console', (line) => {
    if (line.type() === 'error' && !/status of 4\d\d/.test(line.text())) page.troubles.push(`console: ${line.text()}`);
  });
  const own = new URL(base);
  context.on('request', (request) => {
    const url = new URL(request.url());
    const ours = url.host === own.host || (url.hostname.endsWith('.localhost') && url.port === own.port);
    if (!ours && !['data:', 'about:', 'blob:'].includes(url.protocol)) page.troubles.push(`asked for ${url.href}`);
  });
  return page;
}

export async function signIn(page, base, passphrase) {
  await page.goto(`${base}/unlock`);
  await page.fill('input[type=password]', passphrase);
  await page.click('form button[type=submit]');
  await page.waitForSelector('[role=search]');
}

/** Waits for `found`, trying again and again. */
export async function until(what, found) {
  const end = Date.now() + PATIENCE * 1000;
  for (;;) {
    const value = await found();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${PATIENCE} s for: ${what}`);
    await new Promise((again) => setTimeout(again, 250));
  }
}

export const run = (program, args, options = {}) => execFileSync(program, args, { encoding: 'utf8', ...options });

/** Runs the story, takes a picture if it fails, and ends with the right status. */
export async function story(tell) {
  const browser = await start();
  const state = {};
  try {
    await tell(browser, state);
    if (state.page) check(state.page.troubles.length === 0, `no trouble on the way: ${state.page.troubles.join('; ')}`);
  } catch (error) {
    console.error(error.stack);
    if (state.page) {
      console.error(`at ${state.page.url()}`);
      console.error((await state.page.locator('body').innerText().catch(() => '')).slice(0, 2000));
      if (env.PICTURES) await state.page.screenshot({ path: `${env.PICTURES}/failed.png` }).catch(() => {});
    }
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}
