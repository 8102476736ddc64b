// Keys that work on every page, and the palette: everywhere one can go, everything one can do here.

import { isTyping, make } from './page.js';

const palette = document.getElementById('palette');
const field = document.getElementById('palette-q');
const results = document.getElementById('palette-list');
const keys = document.getElementById('keys');

/** All that can be gone to or done from here: words, a hint, the deed. */
function everything() {
  const found = [{ words: 'Write', hint: 'c', run: () => location.assign('/compose') }];
  for (const link of document.querySelectorAll('.nav .places a')) {
    const words = link.querySelector('.label')?.textContent ?? '';
    const tag = link.dataset.tag;
    if (link.classList.contains('state')) continue;
    found.push({ words: tag ? `Tag: ${tag}` : words, hint: link.dataset.go ? `g ${link.dataset.go}` : '', run: () => link.click() });
  }
  found.push({ words: 'Status', hint: '', run: () => location.assign('/status') });
  const deeds = '.toolbar [data-key], .message:last-of-type .message-acts [data-key], .bulk .acts > button';
  for (const deed of document.querySelectorAll(deeds)) {
    if (deed.closest('.bulk') && !document.querySelector('#rows input:checked')) continue;
    found.push({ words: deed.textContent.trim(), hint: deed.dataset.key ?? '', run: () => deed.click() });
  }
  found.push({ words: 'Keys', hint: '?', run: () => keys.showModal() });
  const lock = document.querySelector('[data-lock]');
  found.push({ words: lock?.textContent.trim() ?? 'Lock', hint: '', run: () => lock?.click() });
  return found;
}

let shown = [];
let at = 0;

function show() {
  const asked = field.value.trim().toLowerCase();
  const parts = asked.split(/\s+/);
  shown = everything().filter((deed) => parts.every((part) => deed.words.toLowerCase().includes(part)));
  if (asked) shown.push({ words: `Search for “${field.value.trim()}”`, hint: '', run: () => location.assign(`/search?q=${encodeURIComponent(field.value.trim())}`) });
  at = 0;
  results.replaceChildren(...shown.map((deed, n) => {
    const item = make('li', '', deed.words, make('span', '', deed.hint));
    item.id = `palette-${n}`;
    item.setAttribute('role', 'option');
    item.addEventListener('click', () => run(n));
    return item;
  }));
  mark();
}

function mark() {
  [...results.children].forEach((item, n) => {
    item.setAttribute('aria-selected', String(n === at));
    if (n === at) item.scrollIntoView({ block: 'nearest' });
  });
  field.setAttribute('aria-activedescendant', `palette-${at}`);
}

function run(n) {
  const deed = shown[n];
  palette.close();
  deed?.run();
}

function openPalette(text = '') {
  if (palette.open) return;
  field.value = text;
  palette.showModal();
  show();
  field.focus();
}

field.addEventListener('input', show);
field.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    event.preventDefault();
    at = (at + (event.key === 'ArrowDown' ? 1 : -1) + shown.length) % Math.max(1, shown.length);
    mark();
  } else if (event.key === 'Enter') {
    event.preventDefault();
    run(at);
  }
});

for (const dialog of [palette, keys]) {
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog || event.target.closest('[data-close]')) dialog.close();
  });
}

/** `g` was pressed: the next key says where to. */
function chord() {
  document.body.dataset.chord = 'g';
  const over = () => {
    delete document.body.dataset.chord;
    document.removeEventListener('keydown', next, true);
  };
  const next = (event) => {
    if (['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) return;
    over();
    event.preventDefault();
    event.stopPropagation();
    if (event.key === 't') return openPalette('Tag: ');
    const link = document.querySelector(`.nav [data-go="${CSS.escape(event.key)}"]`);
    if (link) link.click();
    // The outbox is left out of the navigation while nothing is in it.
    else if (event.key === 'o') location.assign('/outbox');
  };
  document.addEventListener('keydown', next, true);
  setTimeout(over, 1500);
}

document.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    return openPalette();
  }
  if (event.key === 'Escape' && event.target.matches?.('#q, #bulk-tag')) return event.target.blur();
  if (isTyping(event)) return;
  if (event.key === '/') {
    const search = document.getElementById('q');
    search.focus();
    search.select();
  } else if (event.key === 'g') chord();
  else if (event.key === 'c') location.assign('/compose');
  else if (event.key === '?') keys.showModal();
  else if (event.key === 'z') document.querySelector('form.bar[data-undo] button, form.bar[data-sent] button')?.click();
  else return;
  event.preventDefault();
});
