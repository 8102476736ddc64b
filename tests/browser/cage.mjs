// Every vector through the real page, through the sanitiser alone (its output in a plain page with nothing around it), and
// through the cage alone (the raw markup behind the real frame's attributes and headers). First the trap proves that it
// catches: the same frame with a loosened policy must be noted.
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { check, env, signIn } from './browser.mjs';
import { differing } from './pixels.mjs';
import { harm, lookedUp, setTrap, touch, written } from './trap.mjs';

const base = env.BASE;
const { port } = new URL(base);
const vectors = JSON.parse(readFileSync(env.VECTORS, 'utf8'));
const proxied = env.NAMES !== 'on';
const report = { canaries: 0, pages: 0, texts: 0, previews: 0, alone: 0, caged: 0, files: 0, through: [] };
const frameSelector = 'iframe[data-message-frame]';

/** An address of ours fetched from outside the browser: what was really sent. */
const fetched = (address) => new Promise((done, failed) => {
  const { host, pathname } = new URL(address);
  get({ host: '127.0.0.1', port, path: pathname, headers: { Host: host } }, (answer) => {
    const pieces = [];
    answer.on('data', (piece) => pieces.push(piece));
    answer.on('end', () => done({ headers: answer.headers, body: Buffer.concat(pieces) }));
  }).on('error', failed);
});

/** What stands in a page of ours that none of our templates writes. Runs in the page. */
function strange() {
  const found = [];
  for (const element of document.querySelectorAll('*')) {
    for (const attribute of element.attributes) if (/^on/i.test(attribute.name)) found.push(`${attribute.name} on ${element.localName}`);
  }
  for (const element of document.querySelectorAll('script, link, img, object, embed, video, audio, base, math, iframe, style, svg')) {
    const address = element.getAttribute('src') ?? element.getAttribute('href') ?? '';
    const ours = element.matches('script[src^="/static/"], link[href^="/static/"], svg.icon, svg.symbols, iframe[data-message-frame]');
    // Pictures that were drawn anew come from a host whose name nobody can guess.
    const drawn = element.matches('img') && /^http:\/\/[0-9a-f]{32}\.localhost:\d+\//.test(address);
    if (!ours && !drawn) found.push(`${element.localName} ${address}`);
  }
  for (const link of document.querySelectorAll('a[href], form[action]')) {
    const to = new URL(link.getAttribute('href') ?? link.getAttribute('action'), location.href);
    if (to.origin !== location.origin) found.push(`leads to ${to}`);
  }
  return found;
}

/** Where the links of a frame lead that do not lead to our way out. Runs in the frame. */
const astray = (all, ours) => all.map((link) => link.href).filter((to) => !to.startsWith(`${ours}/leave?t=`) && !to.startsWith(`${ours}/compose?to=`));

async function frameOf(page) {
  const element = await page.locator(frameSelector).first().elementHandle();
  const frame = await element.contentFrame();
  await frame.waitForLoadState('load');
  return frame;
}

/** The page without its frame, and where the frame is. */
async function without(page, selector = frameSelector) {
  const frame = page.locator(selector).first();
  const box = await frame.boundingBox();
  const show = (how) => frame.evaluate((element, visibility) => { element.style.visibility = visibility; }, how);
  await show('hidden');
  const bare = await page.screenshot({ caret: 'hide' });
  await show('visible');
  return { box, bare };
}

/** Whether a pixel outside the frame has changed. */
const paintsOutside = async (page, { box, bare }) => differing(await page.screenshot({ caret: 'hide' }), bare, box) > 0;

/** Puts other markup and another policy behind the frame of the page; gives how to take it away again. */
async function swapped(trap, body, { policy = (p) => p, headers = {}, sandbox } = {}) {
  const isFrame = (url) => /^[0-9a-f]{32}\.localhost$/.test(url.hostname) && url.pathname === '/';
  const frame = async (route) => {
    const real = await fetched(route.request().url());
    const own = { ...real.headers, ...headers };
    own['content-security-policy'] = policy(own['content-security-policy']);
    for (const name of ['content-length', 'transfer-encoding', 'connection', ...Object.keys(headers).filter((n) => headers[n] === null)]) delete own[name];
    await route.fulfill({ status: 200, headers: own, body: typeof body === 'function' ? body() : body });
  };
  const isPage = (url) => url.origin === base && url.pathname.startsWith('/messages/');
  const page = async (route) => {
    const real = await route.fetch();
    await route.fulfill({ response: real, body: (await real.text()).replace(/ sandbox="[^"]*"/, ` sandbox="${sandbox}"`) });
  };
  await trap.context.route(isFrame, frame);
  if (sandbox) await trap.context.route(isPage, page);
  return async () => {
    await trap.context.unroute(isFrame, frame);
    if (sandbox) await trap.context.unroute(isPage, page);
  };
}

async function show(trap, id, view = 'html') {
  await trap.page.goto(`${base}/messages/${id}?view=${view}`);
  const framed = (await trap.page.locator(frameSelector).count()) > 0;
  return framed ? frameOf(trap.page) : null;
}

const runs = (p) => `${p.replace('sandbox ', 'sandbox allow-scripts allow-modals allow-downloads allow-top-navigation ')}; script-src 'unsafe-inline'`;
const scripts = { policy: runs, sandbox: 'allow-popups allow-popups-to-escape-sandbox allow-scripts allow-modals allow-downloads allow-top-navigation' };
const open = { 'connection-allowlist': null };
const canaries = [
  ['a picture', '<img src=http://canary.example/p>', { headers: open, policy: (p) => p.replace('img-src', 'img-src *') }, /canary\.example\/p/],
  ['a picture over TLS', '<img src=https://canary.example/>', { headers: open, policy: (p) => p.replace('img-src', 'img-src *') }, /CONNECT canary/],
  ['another sheet', '<style>@import "http://canary.example/s"</style>', { headers: open, policy: (p) => p.replace('style-src', 'style-src *') }, /canary\.example\/s/],
  ['a connection made ahead', '<link rel=preconnect href=https://canary2.example>', { headers: open }, /CONNECT canary2/],
  ['a script', '<script>alert(1)</script>', scripts, /alert\(1\)/],
  ['a handler', '<img src=x onerror=alert(2)>', scripts, /alert\(2\)/],
  ['a word to our page', '<script>parent.postMessage(1, "*"); setTimeout(() => {}, 0)</script>', scripts, /setTimeout/],
  ['a window', '<iframe hidden name=w></iframe><a id=a target=_blank href=http://canary.example/w>x</a><script>document.getElementById("a").click()</script>', { ...scripts, headers: open }, /window/],
  ['another page on top', '<a id=a target=_top href=http://canary.example/t>x</a><script>document.getElementById("a").click()</script>', { ...scripts, headers: open }, /canary\.example\/t/],
  ['a download', '<a id=a href="data:application/octet-stream,x" download=x>x</a><script>document.getElementById("a").click()</script>', scripts, /download/],
];

async function proveTheTrap(trap, id) {
  for (const [name, body, loosened, wanted] of canaries) {
    const restore = await swapped(trap, body, loosened);
    let notes = [];
    await trap.page.goto(`${base}/messages/${id}?view=html`).catch(() => {});
    for (let n = 0; n < 600 && !notes.some((what) => wanted.test(what)); n += 1) {
      await trap.page.waitForTimeout(100);
      notes.push(...trap.notes);
    }
    await restore();
    await trap.take();
    check(notes.some((what) => wanted.test(what)), `the trap catches ${name}; noted: ${notes.join(', ') || 'nothing'}`);
    report.canaries += 1;
  }
  // The same cover, once in a frame and once in the page itself.
  const cover = '<div style="position:fixed;inset:0;z-index:9;background:red">x</div>';
  await show(trap, id);
  await trap.page.evaluate((html) => {
    const place = document.querySelector('iframe[data-message-frame]').parentNode;
    place.setAttribute('data-uncaged', '');
    place.innerHTML = html;
    // The page's own policy refuses styles in markup, so this one is set by hand.
    for (const element of place.querySelectorAll('[style]')) element.style.cssText = element.getAttribute('style');
  }, cover);
  check(await paintsOutside(trap.page, await without(trap.page, '[data-uncaged]')), 'the trap sees what is painted outside');
  const restore = await swapped(trap, cover);
  await show(trap, id);
  check(!(await paintsOutside(trap.page, await without(trap.page))), 'a frame paints within itself');
  await restore();
  // Harm in a plain page is seen, and so is markup that reads back as something else.
  await alone(trap, 'canary', '<html><body><p onclick=alert(3) style="position:fixed;background:url(x)">x<svg></svg></p></body></html>', (found) => {
    for (const what of ['onclick on p', 'fixed p', 'background-image', '<svg>', 'alert(3)', 'reads back', 'a script']) {
      check(found.some((one) => one.includes(what)), `the trap sees ${what}: ${found.join('; ')}`);
    }
  });
  report.canaries += 3;
  report.alone = 0;
  await trap.take();
}

function through(vector, how, what) {
  if (what.length) report.through.push(`${vector.class}: ${vector.name} [${how}]: ${what.join('; ')}`);
}

/** The real page, as its owner sees it. */
async function asShown(trap, vector) {
  const found = [];
  const frame = await show(trap, vector.id);
  if (frame) {
    const address = await trap.page.locator(frameSelector).first().getAttribute('src');
    vector.document = (await fetched(address)).body.toString('utf8');
    found.push(...(await frame.locator('a[href]').evaluateAll(astray, base)));
    await frame.locator('html').evaluate(touch);
  }
  found.push(...(await trap.page.evaluate(strange)));
  through(vector, 'the page', [...found, ...(await trap.take())]);
  report.pages += 1;
  if (env.SAY) console.error(Date.now() % 1000000, vector.class, vector.name);
}

/** The text of many at once, on the page of their thread. */
async function asText(trap, left) {
  while (left.size) {
    const [id, vector] = left.entries().next().value;
    await trap.page.goto(`${base}/threads/${id}?view=text`);
    const ids = await trap.page.locator('article[data-message-id]').evaluateAll((all) => all.map((one) => one.dataset.messageId));
    check(ids.includes(id), 'a thread holds its message');
    const count = left.size;
    for (const one of ids) left.delete(one);
    report.texts += count - left.size;
    through(vector, 'the text of its thread', [...(await trap.page.evaluate(strange)), ...(await trap.take())]);
  }
}

/** The sanitiser's output in a plain page: nothing but itself keeps it from doing harm. */
async function alone(trap, name, html, judge) {
  const { page } = trap;
  const address = `http://plain.localhost:${port}/${encodeURIComponent(name)}`;
  trap.plain = html;
  trap.parsed = [];
  await page.goto(address);
  const reads = html.slice(html.indexOf('<body'), html.lastIndexOf('</html>'));
  const found = (await page.evaluate(written)) === reads ? [] : ['reads back as something else'];
  found.push(...(await page.evaluate(harm)));
  await page.evaluate(touch);
  await page.evaluate(() => {});
  found.push(...trap.parsed.filter((url) => url.startsWith(address)).map(() => 'a script'), ...(await trap.take()));
  judge(found);
  report.alone += 1;
}

/** Loads the frame anew and waits for it. Runs in the page. */
const again = (frame) => new Promise((done) => {
  frame.addEventListener('load', () => done(true), { once: true });
  setTimeout(() => done(false), 120_000);
  frame.src = frame.getAttribute('src');
});

/** The raw markup in the real cage. */
async function caged(trap, some) {
  const { page } = trap;
  const body = {};
  // Small, since every pixel of it is looked at.
  await page.setViewportSize({ width: 600, height: 480 });
  const restore = await swapped(trap, () => body.raw);
  await show(trap, some[0].id);
  const bare = proxied ? await without(page) : null;
  const frame = page.locator(frameSelector).first();
  const { x, y } = await frame.boundingBox();
  for (const vector of some) {
    body.raw = Buffer.from(vector.raw, 'base64');
    const found = (await frame.evaluate(again)) ? [] : ['does not load'];
    await page.mouse.move(x + 40, y + 30);
    await page.mouse.move(x + 20, y + 15);
    if (proxied && await paintsOutside(page, bare)) found.push('paints outside its frame');
    through(vector, 'the cage alone', [...found, ...(await trap.take())]);
    report.caged += 1;
    if (env.SAY) console.error(Date.now() % 1000000, 'caged', vector.class, vector.name);
  }
  await restore();
}

/** Every file of a message: a download and nothing else, also for a page of somebody else that embeds it. */
async function files(trap, vector) {
  const { page } = trap;
  await show(trap, vector.id, 'text');
  const links = (which) => page.locator(which).evaluateAll((all) => [...new Set(all.map((link) => link.getAttribute('href')))]);
  const paths = await links('a[download]');
  const previews = await links('a[href$="/preview"]');
  await trap.take();
  for (const path of previews) {
    await page.goto(`${base}${path}`);
    through(vector, `the preview ${path}`, [...(await page.evaluate(strange)), ...(await trap.take())]);
    report.previews += 1;
  }
  for (const path of paths) {
    await page.goto(`${base}${path}`).catch(() => {});
    for (let n = 0; n < 600 && !trap.notes.length; n += 1) await page.waitForTimeout(50);
    const notes = await trap.take();
    const right = notes.length === 1 && notes[0].startsWith('download ');
    through(vector, `the file ${path}`, right ? [] : ['is no download', ...notes, page.url()]);
    const address = notes[0]?.slice('download '.length);
    trap.plain = `<img src="${address}"><script src="${address}"></script><link rel=stylesheet href="${address}"><object data="${address}"></object><iframe src="${address}"></iframe>`;
    await page.goto(`http://plain.localhost:${port}/thief`);
    through(vector, `the file ${path} embedded`, (await trap.take()).filter((what) => !what.startsWith('download ')));
    report.files += 1;
  }
}

const trap = await setTrap({ base, profile: env.PROFILE, log: env.NETLOG, proxy: proxied });
let log;
try {
  const { page } = trap;
  trap.may.push(`http://plain.localhost:${port}/`);
  await trap.context.route((url) => url.hostname === 'plain.localhost', (route) => route.fulfill({
    status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: trap.plain,
  }));
  const session = await trap.context.newCDPSession(page);
  trap.parsed = [];
  session.on('Debugger.scriptParsed', (script) => trap.parsed.push(script.url));
  await signIn(page, base, env.PASSPHRASE);
  await trap.take();
  const first = vectors.find((vector) => vector.raw);
  if (proxied) {
    await session.send('Debugger.enable');
    await proveTheTrap(trap, first.id);
    await session.send('Debugger.disable');
  } else {
    const restore = await swapped(trap, '<link rel=dns-prefetch href=//canary3.example><link rel=preconnect href=https://canary4.example>', { headers: open });
    await show(trap, first.id);
    await page.waitForTimeout(2000);
    await restore();
  }
  for (const vector of vectors.filter((one) => one.class !== 'naughty')) await asShown(trap, vector);
  await asText(trap, new Map(vectors.map((vector) => [vector.id, vector])));
  const raw = vectors.filter((one) => one.raw);
  for (let at = 0; at < raw.length; at += 100) await caged(trap, raw.slice(at, at + 100));
  await session.send('Debugger.enable');
  for (const vector of vectors.filter((one) => one.document)) {
    await alone(trap, vector.name, vector.document, (found) => through(vector, 'the sanitiser alone', found));
  }
  await session.send('Debugger.disable');
  if (proxied) for (const vector of vectors.filter((one) => one.class === 'messages')) await files(trap, vector);
  await page.waitForTimeout(2000); // what was to happen later would have happened
  through({ class: 'all', name: 'late' }, 'at the end', await trap.take());
} catch (error) {
  console.error(error.stack, `at ${trap.page.url()}`);
  process.exitCode = 1;
} finally {
  log = await trap.close();
}


if (!process.exitCode) {
  const hosts = vectors.map((vector) => vector.host).filter(Boolean);
  through({ class: 'all', name: 'names' }, 'looked up', lookedUp(log, hosts));
  if (!proxied) {
    const caught = lookedUp(log, ['canary3.example', 'canary4.example']);
    check(caught.length === 2, `the log shows the names that are looked up: ${caught}`);
    report.canaries += 2;
  }
  console.log(JSON.stringify(report));
}
