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

function listen() {
  const news = new EventSource('/events');
  let wasLost = false;
  let patience = 0;
  news.addEventListener('progress', (event) => showState(words(event).words, true));
  for (const kind of ['mail', 'tags', 'trouble', 'outbox']) {
    news.addEventListener(kind, (event) => { const { state: now } = words(event); if (now) showState(now.words, now.ok); });
  }
  news.addEventListener('outbox', (event) => { const told = words(event).words; if (told) say(told); });
  for (const kind of ['mail', 'tags']) {
    news.addEventListener(kind, (event) => {
      const { unread } = words(event);
      const count = document.querySelector('[data-unread]');
      if (count && Number.isInteger(unread)) {
        count.firstChild.textContent = unread.toLocaleString('en');
        count.hidden = unread === 0;
      }
      changed();
    });
  }
  news.addEventListener('open', () => {
    clearTimeout(patience);
    patience = 0;
    if (wasLost) { changed(); showState('Up to date', true); }
    wasLost = false;
  });
  news.addEventListener('error', () => {
    // A short break is nobody's business.
    patience ||= setTimeout(() => {
      wasLost = true;
      showState('Mailkeep does not answer. Trying again.', false);
      if (news.readyState === EventSource.CLOSED) setTimeout(listen, 10000);
    }, 6000);
  });
  // A page that is put aside for "back" must not hold a connection.
  addEventListener('pagehide', () => news.close());
  addEventListener('pageshow', (event) => { if (event.persisted) location.reload(); });
}

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

listen();
