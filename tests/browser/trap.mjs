// A browser in a trap: whatever a message makes it do is noted. Every request that is not to the server under test goes to
// a proxy that takes notes and answers nothing; scripts, dialogs, windows, downloads and navigations are noted in the page;
// names that are looked up are read from Chromium's own log of its network.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { env, QUIETLY } from './browser.mjs';

const require = createRequire(`${process.env.MAILKEEP_BROWSER_MODULES}/`);
const { chromium } = require('playwright-core');

/** What Chromium asks of its maker by itself, whatever page is open. */
const CHATTER = /^(CONNECT|GET|POST) (http:\/\/)?((accounts|clients\d?|www)\.google\.com|[a-z0-9-]+\.(googleapis|gvt1)\.com)[:/]/;

/** A proxy that writes down what it is asked for. */
async function notingProxy(note) {
  const server = createServer((request, response) => {
    note(`${request.method} ${request.url}`);
    response.writeHead(502).end();
  });
  server.on('connect', (request, socket) => {
    note(`CONNECT ${request.url}`);
    socket.on('error', () => {});
    socket.end('HTTP/1.1 502 No\r\n\r\n');
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return server;
}

/** Runs in every frame before anything else: each way a script can be noticed by is noted. */
function bait() {
  const tell = (what) => { globalThis.trapped?.(`${what} in ${location.href}`); };
  for (const name of ['alert', 'confirm', 'prompt', 'print', 'open']) {
    globalThis[name] = (first) => { tell(`${name}(${String(first).slice(0, 60)})`); return null; };
  }
  // Our own pages talk to their server; nobody else's script has anything to say.
  if (globalThis.top === globalThis && location.origin === globalThis.trapOrigin) return;
  for (const name of ['fetch', 'postMessage', 'setTimeout', 'setInterval', 'queueMicrotask']) {
    const real = globalThis[name];
    globalThis[name] = (...all) => { tell(`${name}()`); return real.apply(globalThis, all); };
  }
  for (const [type, name] of [['XMLHttpRequest', 'open'], ['Document', 'write'], ['Element', 'attachShadow'], ['Navigator', 'sendBeacon']]) {
    const real = globalThis[type].prototype[name];
    globalThis[type].prototype[name] = function trap(...all) { tell(`${type}.${name}()`); return real.apply(this, all); };
  }
}

/** Opens the trap. With `proxy: false` names are looked up as usual, so that the log of the network shows them. */
export async function setTrap({ base, profile, log, proxy: proxied = true }) {
  const notes = [];
  const note = (what) => { if (!CHATTER.test(what)) notes.push(what); };
  const proxy = await notingProxy(note);
  const port = new URL(base).port;
  const args = [...QUIETLY, `--log-net-log=${log}`, '--net-log-capture-mode=Default'];
  if (proxied) {
    args.push(`--proxy-server=http://127.0.0.1:${proxy.address().port}`);
    // Without the first word loopback would never go through the proxy, whatever the port.
    args.push(`--proxy-bypass-list=<-loopback>;127.0.0.1:${port};*.localhost:${port}`);
  }
  // A profile of its own on the disk: in one that is only in memory Chromium connects to nothing ahead.
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: env.MAILKEEP_CHROMIUM || '/usr/bin/chromium', args, viewport: { width: 800, height: 700 }, acceptDownloads: true,
  });
  await context.exposeBinding('trapped', (_, what) => note(what));
  await context.addInitScript(`globalThis.trapOrigin = ${JSON.stringify(new URL(base).origin)}; (${bait})()`);
  const page = await context.newPage();
  for (const other of context.pages()) if (other !== page) await other.close();
  page.setDefaultTimeout(60_000);
  const windows = [];
  context.on('page', (opened) => { windows.push(opened); note(`window ${opened.url()}`); });
  page.on('dialog', async (dialog) => { note(`dialog ${dialog.message()}`); await dialog.dismiss().catch(() => {}); });
  page.on('download', (download) => note(`download ${download.url()}`));
  page.on('framenavigated', (frame) => {
    if (frame === page.mainFrame() && !state.may.some((start) => frame.url().startsWith(start))) note(`left for ${frame.url()}`);
  });
  const state = {
    context, page, notes, may: [base, 'about:blank'],
    /** Takes what was noted so far; closes what was opened. */
    async take() {
      for (const window of windows.splice(0)) await window.close().catch(() => {});
      return notes.splice(0);
    },
    /** Closes the trap; gives the log of the network. */
    async close() {
      await context.close();
      proxy.close();
      return readFileSync(log);
    },
  };
  return state;
}

/**
 * Which of these names the browser looked up or connected to, by its own log: as a word of its own, or as the host of an
 * address. In the mere path of an address of another host one is harmless.
 */
export const lookedUp = (log, names) => names.flatMap((name) => {
  // The log is large and the names are many: only where one stands is looked at closely.
  for (let at = log.indexOf(name); at >= 0; at = log.indexOf(name, at + 1)) {
    const before = log.toString('latin1', Math.max(0, at - 300), at);
    // A report that a frame was refused something names the frame, and is not sent anywhere either.
    if (/"srcAttribute":"[^"]*$/.test(before)) continue;
    if (/(^|["'\s,;<(])([a-z][a-z0-9+.-]*:)?(\/\/)?([^"'\s/]*@)?$/.test(before)) {
      return [`${name} (${before}${log.toString('latin1', at, at + 200)})`];
    }
  }
  return [];
});

/** The document as it would be written by the sanitiser, from what this browser made of it. Runs in a page. */
export function written() {
  const escape = (text) => text.replace(/[&<>"\r]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' })[c]);
  const bare = ['br', 'hr', 'img', 'wbr', 'col'];
  const write = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return escape(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE || node.namespaceURI !== 'http://www.w3.org/1999/xhtml') return `[${node.nodeName}]`;
    const attributes = [...node.attributes].map((a) => ` ${a.name}="${escape(a.value)}"`).join('');
    const start = `<${node.localName}${attributes}>`;
    if (bare.includes(node.localName)) return start;
    const first = node.localName === 'pre' && node.firstChild?.data?.startsWith('\n') ? '\n' : '';
    return `${start}${first}${[...node.childNodes].map(write).join('')}</${node.localName}>`;
  };
  return write(document.body);
}

/** What a document could still do, by what this browser made of its elements and sheets. Runs in a page. */
export function harm() {
  const found = [];
  const kinds = 'script,iframe,frame,object,embed,form,input,textarea,select,button,base,link,meta[http-equiv],svg,math,template,audio,video,source,canvas,dialog,area,[id],[name],[for],[popover],[contenteditable],[tabindex],[accesskey],[autofocus],[srcset],[ping],[is],[slot]';
  const pictured = ['background-image', 'border-image-source', 'list-style-image', 'cursor', 'content', 'mask-image', 'clip-path', 'filter', 'offset-path', 'shape-outside'];
  // The name of the view port in our own head is the only one.
  for (const element of document.querySelectorAll(kinds)) {
    if (!(element.localName === 'meta' && element.parentNode === document.head)) found.push(element.outerHTML.slice(0, 80));
  }
  for (const element of document.querySelectorAll('*')) {
    for (const attribute of element.attributes) if (/^on/i.test(attribute.name)) found.push(`${attribute.name} on ${element.localName}`);
    const style = getComputedStyle(element);
    if (style.position !== 'static') found.push(`${style.position} ${element.localName}`);
    if (style.zIndex !== 'auto' || style.transform !== 'none' || style.filter !== 'none' || style.animationName !== 'none') found.push(`moved ${element.localName}`);
    for (const name of pictured) {
      const value = style.getPropertyValue(name);
      const placed = name === 'background-image' && element.hasAttribute('background');
      if (!placed && /url\(|image-set\(/.test(value)) found.push(`${name}: ${value}`);
    }
    for (const name of element.style) if (name.startsWith('--')) found.push(`property ${name}`);
  }
  const rules = (list) => [...list].flatMap((rule) => (rule instanceof CSSMediaRule ? rules(rule.cssRules) : [rule]));
  for (const rule of [...document.styleSheets].flatMap((sheet) => rules(sheet.cssRules))) {
    if (!(rule instanceof CSSStyleRule) || rule.cssRules.length) found.push(rule.cssText.slice(0, 80));
    else if (/url\(|var\(|attr\(|:(has|hover|focus|checked|visited|target|active)|::/i.test(rule.cssText)) found.push(rule.cssText.slice(0, 80));
  }
  return found;
}

/** Touches everything in a document as a person might. Runs in a page. */
export function touch() {
  const events = ['mouseover', 'mousemove', 'mouseout', 'pointerenter', 'focus', 'blur', 'toggle', 'beforetoggle', 'wheel', 'keydown', 'copy', 'load', 'error', 'animationstart', 'transitionend'];
  for (const element of document.querySelectorAll('*')) {
    for (const name of events) element.dispatchEvent(new Event(name, { bubbles: true, cancelable: true }));
    if (!element.closest('a[href]')) element.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
  }
}
