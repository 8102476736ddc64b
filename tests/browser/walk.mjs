// From set-up to an answer, as a person would walk it. With JAVASCRIPT=off the same way must lead to the same end.
import { check, env, run, story, until, watched } from './browser.mjs';

const base = env.BASE;
const scripted = env.JAVASCRIPT === 'on';

story(async (browser, state) => {
  const context = await browser.newContext({ javaScriptEnabled: scripted, viewport: { width: 1280, height: 900 } });
  const page = await watched(context, base);
  state.page = page;

  // Nothing is there yet: the first page leads to the set-up.
  await page.goto(`${base}/`);
  await page.waitForSelector('input[name=again]');
  await page.fill('input[name=passphrase]', env.PASSPHRASE);
  await page.fill('input[name=again]', env.PASSPHRASE);
  if (scripted) await until('the strength, shown while typing', () => page.locator('meter').evaluate((meter) => meter.value > 0));
  await page.locator('form button.primary').click();

  // The account, on servers with a certificate of their own. Nobody outside is asked about anything.
  await page.waitForSelector('input[name=address]');
  run(env.MAILKEEP, ['--data', env.DATA, '--passphrase-file', env.PASSPHRASE_FILE, 'config', 'set', 'tor.mode', 'off']);
  await page.fill('input[name=address]', env.ADDRESS);
  await page.fill('input[name=password]', env.PASSWORD);
  // The page opens this by itself, too, when no server was found.
  await until('the fields for servers', async () => {
    if (await page.locator('input[name=imap_host]').isVisible()) return true;
    await page.locator('details:has(input[name=imap_host]) > summary').click();
    return page.locator('input[name=imap_host]').isVisible();
  });
  await page.fill('input[name=imap_host]', 'localhost');
  await page.fill('input[name=imap_port]', env.IMAPS_PORT);
  await page.selectOption('select[name=imap_security]', 'tls');
  await page.fill('input[name=smtp_host]', 'localhost');
  await page.fill('input[name=smtp_port]', env.SUBMISSIONS_PORT);
  await page.selectOption('select[name=smtp_security]', 'tls');
  await page.setInputFiles('input[name=ca]', env.CA);
  await page.locator('form[action="/setup/account"] button.primary').click();

  // Privacy, and done.
  await page.waitForSelector('text=3 of 4');
  check(await page.locator('input[name=private][value=yes]').isChecked(), 'mail is kept private unless one says no');
  await page.locator('main button.primary').click();
  await page.waitForSelector('text=4 of 4');
  await page.locator('main a.primary').click();

  // The mail that was there, and one that arrives while we look.
  const rows = page.locator('article[data-message-id]');
  const seen = async (subject) => {
    const found = async () => (await rows.filter({ hasText: subject }).count()) > 0;
    await until(`${subject} in the list`, async () => {
      if (await found()) return true;
      if (!scripted) await page.reload();
      return false;
    });
  };
  await page.waitForSelector('[role=search]');
  await until('the first mail', async () => {
    if (await rows.filter({ hasText: 'The garden plan' }).count()) return true;
    await page.reload();
    return false;
  });
  run(env.LAB, ['send', env.CORRESPONDENT, env.ADDRESS, '-'], {
    input: `From: Bob <${env.CORRESPONDENT}>\nTo: ${env.ADDRESS}\nSubject: Fresh from Bob\nMessage-ID: <fresh.${scripted}@stories.test>\n\nIt came by itself.\n`,
  });
  await seen('Fresh from Bob');

  // Search: found in the text, not in the list's first words.
  await page.fill('[role=search] input[name=q]', 'subject:garden');
  await page.press('[role=search] input[name=q]', 'Enter');
  await page.waitForURL(/\/search\?q=/);
  check((await rows.count()) === 1, 'one is found');
  check((await page.inputValue('[role=search] input[name=q]')) === 'subject:garden', 'the query stays in its field');
  const id = await rows.first().getAttribute('data-message-id');

  // A query that cannot be understood says so, on the page.
  await page.goto(`${base}/search?q=${encodeURIComponent('(garden')}`);
  check((await page.locator('[role=alert]').count()) > 0, 'an open parenthesis is pointed at');

  // Read it, as it was designed and as text.
  await page.goto(`${base}/messages/${id}?view=html`);
  const frame = page.frameLocator('iframe[data-message-frame]');
  await frame.locator('text=Here is the plan.').waitFor();
  await page.goto(`${base}/messages/${id}?view=text`);
  check((await page.locator('main').innerText()).includes('Here is the plan.'), 'the text is on the page');
  check((await page.locator('iframe[data-message-frame]').count()) === 0, 'and no frame');
  const [file] = await Promise.all([page.waitForEvent('download'), page.locator('a[download]:has-text("plan.pdf")').first().click()]);
  check(file.suggestedFilename() === 'plan.pdf', 'the attachment comes under its name');

  // Tag it.
  const id2 = id;
  await page.goto(`${base}/messages/${id2}`);
  const tagger = page.locator('details:has(input[name=tag]) > summary').first();
  await tagger.click();
  await page.locator('input[name=tag]:visible').first().fill('garden');
  await page.locator('details:has(input[name=tag]) button[value=tag]').first().click();
  await until('the tag', async () => {
    await page.goto(`${base}/search?q=tag:garden`);
    return (await rows.count()) === 1;
  });

  // From one thread to the next, and what comes while a thread is open.
  const heading = (words) => until(`the thread ${words}`, async () => (await page.locator('h1').innerText()) === words);
  await page.goto(`${base}/`);
  await rows.first().locator('.open').click();
  await heading('Fresh from Bob');
  await page.locator('.pager a[rel=next]').click();
  await heading('The garden plan');
  if (scripted) {
    await page.waitForLoadState('load');
    await page.keyboard.press('k');
    await heading('Fresh from Bob');
    await page.waitForLoadState('load');
    run(env.LAB, ['send', env.CORRESPONDENT, env.ADDRESS, '-'], {
      input: `From: Bob <${env.CORRESPONDENT}>\nTo: ${env.ADDRESS}\nSubject: Re: Fresh from Bob\nMessage-ID: <more@stories.test>\nIn-Reply-To: <fresh.true@stories.test>\n\nAnd there is more.\n`,
    });
    await page.locator('text=1 new message has come').waitFor();
    check((await page.locator('article.message').count()) === 1, 'it is not shown, nor read, before one looks');
    await page.locator('[data-more] a').click();
    await page.locator('.body >> text=And there is more.').waitFor();
    await page.waitForLoadState('load');
    await page.keyboard.press('g');
    await page.keyboard.press('o');
    await page.waitForURL(/\/outbox$/);
  }

  // Answer it.
  await page.goto(`${base}/messages/${id}`);
  await page.locator('a:has-text("Reply")').first().click();
  await page.waitForSelector('textarea[name=body]');
  const to = await page.locator('form:has(textarea[name=body])').locator('input[name=to]').inputValue();
  check(to.includes(env.CORRESPONDENT), `the answer goes to Bob: ${to}`);
  const body = page.locator('textarea[name=body]').first();
  await body.fill(`Thank you, Bob: it reached me.\n\n${await body.inputValue()}`);
  const send = page.locator('button[name=do][value=send]').first();
  if (scripted) {
    // One file, then another: the second dialog does not take the first away. And a double click is no second letter.
    for (const name of ['first.txt', 'second.txt']) await page.setInputFiles('input[name=file]', { name, mimeType: 'text/plain', buffer: Buffer.from(name) });
    await until('both files', async () => (await page.locator('[data-kept] li').count()) === 2);
    await send.dblclick();
  } else await send.click();
  await page.waitForURL((url) => url.pathname !== '/compose');
  await until('the message in the outbox', async () => {
    await page.goto(`${base}/outbox`);
    return (await page.locator('main').innerText()).includes('The garden plan');
  });

  // Every page of the house opens.
  for (const path of ['/', '/compose', '/settings', '/contacts', '/keys', '/devices', '/network', '/outbox', '/status', `/threads/${id}`]) {
    const answer = await page.goto(base + path);
    check(answer.status() === 200, `${path} answers ${answer.status()}`);
    for (const mark of ['main', 'nav', '[role=search]']) check((await page.locator(mark).count()) > 0, `${path} has ${mark}`);
  }
  // It goes out when the time to undo is over.
  await until('the answer to be sent', async () => {
    await page.goto(`${base}/search?q=in:sent`);
    return (await rows.count()) === 1 && run(env.MAILKEEP, ['--data', env.DATA, '--passphrase-file', env.PASSPHRASE_FILE, '--json', 'outbox', 'list']).includes('"sent"');
  });
});
