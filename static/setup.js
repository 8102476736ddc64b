// Set-up and settings: how strong a passphrase is, which servers an address has, how mail arrives.

import { csrf, post, whenQuiet } from './page.js';

for (const field of document.querySelectorAll('[data-strength]')) {
  const meter = field.form.querySelector('[data-meter]');
  const words = field.form.querySelector('[data-strength-words]');
  const ask = whenQuiet(250, async () => {
    const passphrase = field.value;
    if (!passphrase) {
      meter.value = 0;
      words.textContent = 'Nothing typed yet.';
      return;
    }
    try {
      const answer = await post('/setup/strength', { csrf, passphrase });
      if (field.value !== passphrase) return;
      meter.value = answer.score;
      words.textContent = answer.words;
    } catch (trouble) {
      words.textContent = trouble.message;
    }
  });
  field.addEventListener('input', ask);
}

for (const box of document.querySelectorAll('[data-show]')) {
  box.addEventListener('change', () => {
    for (const field of box.form.querySelectorAll('[autocomplete="new-password"]')) {
      field.type = box.checked ? 'text' : 'password';
    }
  });
}

for (const form of document.querySelectorAll('[data-passphrase-form]')) {
  const { passphrase, again } = form.elements;
  const compare = () => again.setCustomValidity(again.value && again.value !== passphrase.value ? 'The two are not the same.' : '');
  passphrase.addEventListener('input', compare);
  again.addEventListener('input', compare);
}

const NAMES = { tls: 'TLS', starttls: 'STARTTLS', none: 'no encryption' };

/** Fills in what was found, but never what somebody typed. */
function fill(form, kind, server) {
  if (!server) return;
  for (const part of ['host', 'port', 'security']) {
    const field = form.elements[`${kind}_${part}`];
    if (field.dataset.typed) continue;
    field.value = server[part];
  }
}

for (const form of document.querySelectorAll('[data-account-form]')) {
  const found = form.querySelector('[data-found]');
  let asked = '';
  const find = async () => {
    const address = form.elements.address.value.trim();
    if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(address) || address === asked) return;
    asked = address;
    found.textContent = `Looking for the servers of ${address.split('@').at(-1)} through Tor.`;
    try {
      const { imap, smtp, user, found_by: by } = await post('/setup/find-servers', { csrf, address });
      if (asked !== address) return;
      fill(form, 'imap', imap);
      fill(form, 'smtp', smtp);
      if (!form.elements.user.dataset.typed) form.elements.user.value = user && user !== address ? user : '';
      const say = (server) => `${server.host}, port ${server.port}, ${NAMES[server.security] ?? server.security}`;
      found.textContent = imap && smtp ? `Reads from ${say(imap)}. Sends by ${say(smtp)}. ${by ?? ''}` : 'Nothing was found. Please fill in the servers.';
      if (!imap || !smtp) form.querySelector('[data-servers]').open = true;
    } catch (trouble) {
      if (asked !== address) return;
      found.textContent = trouble.message;
      form.querySelector('[data-servers]').open = true;
    }
  };
  form.querySelector('[data-servers]').addEventListener('input', (event) => { event.target.dataset.typed = '1'; });
  form.elements.address.addEventListener('change', find);
  form.elements.address.addEventListener('input', whenQuiet(900, find));
  const button = form.querySelector('[data-find]');
  if (button) button.hidden = true;
  form.addEventListener('submit', () => {
    const submit = form.querySelector('[data-submit]');
    submit.textContent = 'Signing in';
    submit.setAttribute('aria-busy', 'true');
  });
}

const arriving = document.querySelector('[data-arriving]');
if (arriving) {
  const news = new EventSource('/events');
  news.addEventListener('progress', (event) => {
    const { words, done, total } = JSON.parse(event.data);
    if (words) arriving.querySelector('[data-words]').textContent = words;
    let bar = arriving.querySelector('[data-progress]');
    if (!bar && total > 0) {
      bar = document.createElement('progress');
      bar.dataset.progress = '';
      bar.setAttribute('aria-label', 'Messages fetched');
      arriving.prepend(bar);
    }
    if (bar && total > 0) Object.assign(bar, { max: total, value: done });
  });
  addEventListener('pagehide', () => news.close());
}
