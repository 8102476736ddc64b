// Invitations on the pages: made on /keys, shown as a code and a link, taken up on a contact's page, told step by step.
import { check, env, signIn, story, watched } from './browser.mjs';

const base = env.BASE;
const scripted = env.JAVASCRIPT === 'on';
const words = (text) => text.replace(/\s+/g, ' ').trim();
const contact = (address) => `${base}/contacts/${encodeURIComponent(address)}`;

story(async (browser, state) => {
  const context = await browser.newContext({ javaScriptEnabled: scripted, viewport: { width: 1280, height: 900 } });
  const page = await watched(context, base);
  state.page = page;
  await signIn(page, base, env.PASSPHRASE);

  // On the page of one's own keys.
  await page.goto(`${base}/keys`);
  const invite = page.locator('#invite');
  check((await invite.locator('svg.qr').count()) === 0, 'no invitation yet');
  await invite.locator('#join-link').fill('https://example.org/hello');
  await invite.locator('form[action="/keys/join"] button').click();
  check((await page.locator('[role=alert]').innerText()).includes('no invitation'), 'another link is refused in words');
  await page.fill('#invite-address', env.CAROL);
  await invite.locator('form[action="/keys/invite"] button').click();
  await page.waitForURL(/\/keys#invite/);
  check((await invite.locator('svg.qr path').count()) === 1, 'the code is there');
  const link = await invite.locator('.invitation textarea').inputValue();
  check(/^OPENPGP4FPR:[0-9A-F]{40}#a=.+&i=.{24}&s=.{24}$/.test(link), `the link is whole: ${link}`);
  check(words(await invite.innerText()).includes(`Waiting for ${env.CAROL} to take the invitation.`), 'what it waits for');
  check(words(await invite.innerText()).includes(`good once, for ${env.CAROL} alone, until`), 'how long it is good');

  // On Carol's page, who was never written to: the same, with the steps.
  await invite.locator('h3 a').click();
  await page.waitForURL(/\/contacts\//);
  const steps = page.locator('#invitation .steps li');
  check((await steps.count()) === 4, 'four steps');
  check(words(await page.locator('#invitation .steps li[aria-current=step]').innerText()) === 'Their program asks for your key.', 'which is next');
  check((await page.locator('#invitation svg.qr').count()) === 1, 'the code is here, too');

  // Bob's link on her page is refused; taken up on /keys it leads to his.
  await page.fill('#join-link', env.LINK);
  await page.locator('#invitation form[action$="/join"] button').click();
  check((await page.locator('[role=alert]').innerText()).includes(`from ${env.BOB}, not from ${env.CAROL}`), 'whose it is');
  await page.goto(`${base}/keys`);
  await page.fill('#join-link', env.LINK);
  await page.locator('#invite form[action="/keys/join"] button').click();
  await page.waitForURL(/\/contacts\/.*#invitation/);
  check(words(await page.locator('#invitation').innerText()).includes(`Waiting for the program of ${env.BOB} to answer.`), 'what it waits for');
  check((await page.locator('#invitation svg.qr').count()) === 0, 'their link is not shown again');
  check((await page.locator('#invitation .steps .icon').count()) === 1, 'one step is done');
  if (env.SHOTS && scripted) await pictures(browser);
});

async function pictures(browser) {
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [{ width: 390, height: 844 }, { width: 1280, height: 860 }]) {
      const context = await browser.newContext({ colorScheme, viewport, deviceScaleFactor: viewport.width === 390 ? 2 : 1 });
      const page = await watched(context, base);
      await signIn(page, base, env.PASSPHRASE);
      for (const [name, path] of [['keys', `${base}/keys`], ['made', contact(env.CAROL)], ['taken', contact(env.BOB)]]) {
        await page.goto(path);
        await page.waitForTimeout(300);
        await page.screenshot({ path: `${env.SHOTS}/invitation-${name}-${viewport.width}-${colorScheme}.png`, fullPage: true });
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        check(width <= viewport.width, `${name} at ${viewport.width} px is ${width} px wide`);
      }
      await context.close();
    }
  }
}
