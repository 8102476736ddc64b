// News from the server: new mail, changed tags, how fetching goes, trouble in words. And bars that count down.

import { say } from './page.js';

const state = document.querySelector('[data-state]');

function words(event) {
  try {
    return JSON.parse(event.data) ?? {};
  } catch {
    return {};
  }
}

function showState(text, ok) {
  if (!state || !text) return;
  state.textContent = text;
  const line = state.closest('.state');
  line.title = text;
  line.classList.toggle('trouble', !ok);
  line.querySelector('use')?.setAttribute('href', ok ? '#i-online' : '#i-offline');
}

const changed = () => document.dispatchEvent(new CustomEvent('mailkeep:changed'));

/** The news that are listened to; none while nobody looks at the page. */
let news = null;

function showUnread(unread) {
  const count = document.querySelector('[data-unread]');
  if (!count || !Number.isInteger(unread)) return;
  count.firstChild.textContent = unread.toLocaleString('en');
  count.hidden = unread === 0;
}

/** How the Tor inside gets on, where the page shows it. */
function showTor({ words: text, percent }) {
  for (const shown of document.querySelectorAll('[data-tor-words]')) shown.textContent = text;
  const line = document.querySelector('[data-tor]');
  const stuck = text.startsWith('Tor is not there');
  line?.classList.toggle('caution', stuck);
  line?.querySelector('use')?.setAttribute('href', stuck ? '#i-warning' : '#i-check');
  const bar = document.querySelector('[data-tor-percent]');
  if (!bar) return;
  bar.hidden = !Number.isInteger(percent);
  bar.value = percent ?? 0;
}

function listen() {
  const own = new EventSource('/events');
  news = own;
  let wasLost = false;
  let patience = 0;
  const on = (kind, deed) => own.addEventListener(kind, (event) => deed(words(event)));
  on('progress', (told) => showState(told.words, true));
  for (const kind of ['standing', 'mail', 'tags', 'trouble', 'outbox']) {
    on(kind, ({ state: now, unread }) => { if (now) showState(now.words, now.ok); showUnread(unread); });
  }
  on('tor', showTor);
  on('outbox', (told) => { if (told.words) say(told.words); });
  for (const kind of ['mail', 'tags', 'pictures']) on(kind, changed);
  // The first word tells of what happened between the page and its ear.
  for (const kind of ['standing', 'devices']) on(kind, () => document.dispatchEvent(new CustomEvent('mailkeep:devices')));
  own.addEventListener('open', () => {
    clearTimeout(patience);
    patience = 0;
    if (wasLost) changed();
    wasLost = false;
  });
  own.addEventListener('error', () => {
    // A short break is nobody's business.
    patience ||= setTimeout(() => {
      if (news !== own) return;
      wasLost = true;
      showState('Mailkeep does not answer. Trying again.', false);
      if (own.readyState === EventSource.CLOSED) setTimeout(() => { if (news === own) listen(); }, 10000);
    }, 6000);
  });
}

function hush() {
  news?.close();
  news = null;
}

// Browsers allow six connections to one host: a page that nobody looks at must not hold one.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return hush();
  if (news) return;
  listen();
  changed();
});
addEventListener('pagehide', hush);
addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });

/** Ten seconds in which a message can be called back. */
function countDown(bar) {
  let left = Number(bar.dataset.seconds) || 0;
  const place = bar.querySelector('[data-words]');
  const tick = setInterval(() => {
    left -= 1;
    place.textContent = left > 0 ? `Sending in ${left} ${left === 1 ? 'second' : 'seconds'}.` : 'On its way.';
    if (left === 0) bar.querySelector('button').remove();
    if (left < -4) { clearInterval(tick); bar.remove(); }
  }, 1000);
}

for (const bar of document.querySelectorAll('form.bar[data-sent]')) countDown(bar);
for (const bar of document.querySelectorAll('form.bar[data-undo]')) setTimeout(() => bar.remove(), 20000);

// The marks of what was just done need not stay in the address.
const here = new URL(location.href);
if (here.searchParams.has('undo') || here.searchParams.has('sent')) {
  here.searchParams.delete('undo');
  here.searchParams.delete('sent');
  history.replaceState(null, '', here);
}

if (!document.hidden) listen();
