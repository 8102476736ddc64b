// Lists and threads by keyboard; actions that show at once and can be taken back.

import { csrf, icon, isTyping, make, post, say } from './page.js';

const list = document.querySelector('[data-list]');
const thread = document.querySelector('[data-thread]');
const LEAVES = new Set(['archive', 'delete', 'spam', 'inbox', 'destroy']);

const rows = () => [...document.querySelectorAll('#rows .row')];
const idOf = (row) => row.dataset.messageId;
const boxOf = (row) => row.querySelector('.pick input');
const picked = () => rows().filter((row) => boxOf(row).checked);
const current = () => document.activeElement?.closest?.('.row') ?? null;

function focusRow(row) {
  row?.querySelector('.open').focus();
  row?.scrollIntoView({ block: 'nearest' });
}

function step(by, select) {
  const all = rows();
  const at = all.indexOf(current());
  const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
  if (select && at >= 0) boxOf(all[at]).checked = true;
  if (select && next) boxOf(next).checked = true;
  focusRow(next);
  showPicked();
}

function showPicked() {
  const count = picked().length;
  const words = document.querySelector('[data-picked]');
  if (words) words.textContent = `${count} selected`;
  const all = document.querySelector('[data-select-page]');
  if (all) {
    all.checked = count > 0 && count === rows().length;
    all.indeterminate = count > 0 && count < rows().length;
  }
  const every = document.querySelector('[name="all_found"]');
  if (every && count === 0) every.checked = false;
}

/** Shows the bar that offers to take something back. */
function offerUndo({ words, undo }) {
  document.querySelector('form.bar[data-undo]')?.remove();
  if (!undo) return say(words);
  const field = (name, value) => Object.assign(document.createElement('input'), { type: 'hidden', name, value });
  const button = make('button', 'quiet', icon('undo'), 'Undo');
  const bar = make('form', 'bar', field('csrf', csrf), field('back', document.body.dataset.here), field('token', undo), make('span', '', words), button);
  Object.assign(bar, { method: 'post', action: '/undo' });
  bar.dataset.undo = '';
  bar.setAttribute('role', 'status');
  document.getElementById('main').prepend(bar);
  setTimeout(() => bar.remove(), 20000);
}

/** What the page looks like once an action is done. */
function foresee(action, affected) {
  for (const row of affected) {
    if (LEAVES.has(action)) row.classList.add('going');
    if (action === 'read' || action === 'unread') row.classList.toggle('unread', action === 'unread');
    if (action === 'star' || action === 'unstar') row.classList.toggle('starred', action === 'star');
    boxOf(row).checked = false;
  }
  showPicked();
}

/** Whether all that was found is meant, and not this page alone. */
const isAllFound = () => Boolean(document.querySelector('[name="all_found"]')?.checked);

/** Sends the form of the whole list: what lies beyond this page is only known to the server. */
function actOnAllFound(action) {
  const button = Object.assign(make('button'), { name: 'action', value: action, hidden: true });
  document.getElementById('bulk').append(button);
  button.form.requestSubmit(button);
}

async function act(action, affected, more = {}) {
  if (affected.length === 0) return;
  const all = rows();
  const after = all.slice(all.indexOf(affected.at(-1)) + 1).find((row) => !affected.includes(row));
  const before = all.slice(0, all.indexOf(affected[0])).at(-1);
  const hadFocus = affected.includes(current());
  foresee(action, affected);
  if (LEAVES.has(action) && hadFocus) focusRow(after ?? before);
  const fields = [['csrf', csrf], ['action', action], ['whole', '1'], ['back', document.body.dataset.here], ...Object.entries(more)];
  try {
    offerUndo(await post('/actions', fields.concat(affected.map((row) => ['id', idOf(row)]))));
  } catch (trouble) {
    say(trouble.message);
  }
  await refresh();
}

/** Brings the rows up to date without losing selection or focus. */
async function refresh() {
  let html;
  try {
    const answer = await fetch(location.href.split('#')[0], { headers: { 'X-Part': 'rows' } });
    if (!answer.ok || answer.redirected) return;
    html = await answer.text();
  } catch {
    return;
  }
  const fresh = new DOMParser().parseFromString(html, 'text/html').getElementById('rows');
  const old = document.getElementById('rows');
  if (!fresh || !old) return;
  const chosen = new Set(picked().map(idOf));
  const focused = current() && idOf(current());
  old.replaceWith(fresh);
  for (const row of rows()) {
    boxOf(row).checked = chosen.has(idOf(row));
    if (idOf(row) === focused) row.querySelector('.open').focus({ preventScroll: true });
  }
  const range = document.querySelector('[data-range-words]');
  if (range) range.textContent = fresh.dataset.range;
  showPicked();
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  const action = event.submitter?.value;
  if (form.getAttribute('action') !== '/actions') return;
  const row = form.closest('.row');
  if (!list || (!row && isAllFound())) return;
  event.preventDefault();
  const tag = form.elements.tag?.value.trim();
  if ((action === 'tag' || action === 'untag') && !tag) return form.elements.tag.focus();
  for (const menu of form.querySelectorAll('.menu')) menu.open = false;
  act(action, row ? [row] : picked(), tag ? { tag } : {});
});

document.addEventListener('change', (event) => {
  if (event.target.matches('[data-select-page]')) {
    for (const row of rows()) boxOf(row).checked = event.target.checked;
  }
  if (event.target.matches('.pick input')) showPicked();
});

const toggles = (row, on, off, is) => (row.classList.contains(is) ? off : on);

function listKey(key, shift) {
  const chosen = picked();
  const affected = chosen.length > 0 ? chosen : [current()].filter(Boolean);
  const simple = { e: 'archive', '#': 'delete', '!': 'spam' }[key];
  const does = (action) => (isAllFound() && chosen.length > 0 ? actOnAllFound(action) : act(action, affected));
  if (key === 'j' || key === 'J') step(1, shift);
  else if (key === 'k' || key === 'K') step(-1, shift);
  else if (key === 'o') current()?.querySelector('.open').click();
  else if (key === 'x' && current()) { boxOf(current()).checked = !boxOf(current()).checked; showPicked(); }
  else if (key === '*') selectAll();
  else if (key === 's' && affected[0]) does(toggles(affected[0], 'star', 'unstar', 'starred'));
  else if (key === 'U' && affected[0]) does('unread');
  else if (key === 'l' && affected[0]) openTags(affected[0]);
  else if (simple && affected[0]) does(simple);
  else if (key === 'u') location.assign('/');
  else return false;
  return true;
}

function openTags(row) {
  boxOf(row).checked = true;
  showPicked();
  document.querySelector('[data-tag-menu]').open = true;
  document.getElementById('bulk-tag').focus();
}

function selectAll() {
  const on = picked().length < rows().length;
  for (const row of rows()) boxOf(row).checked = on;
  const every = document.querySelector('[name="all_found"]');
  if (every) every.checked = on;
  showPicked();
}

function message() {
  return document.activeElement?.closest?.('.message') ?? [...document.querySelectorAll('.message')].at(-1);
}

function stepMessage(by) {
  const all = [...document.querySelectorAll('.message')];
  const at = all.indexOf(document.activeElement?.closest?.('.message'));
  const next = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + by))];
  if (!next) return;
  const fold = next.querySelector('.fold');
  if (fold) fold.open = true;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'start' });
}

function threadKey(key) {
  if (key === 'n' || key === 'p') { stepMessage(key === 'n' ? 1 : -1); return true; }
  const answer = document.getElementById('c-body');
  const isLast = message() === [...document.querySelectorAll('.message')].at(-1);
  if (key === 'r' && answer && isLast) { answer.focus(); return true; }
  const named = `[data-key="${CSS.escape(key)}"]`;
  const target = message()?.querySelector(named) ?? thread.querySelector(`.toolbar ${named}`);
  target?.click();
  if (key === 'l') document.getElementById('thread-tag')?.focus();
  return Boolean(target);
}

document.addEventListener('keydown', (event) => {
  if (isTyping(event) || document.body.dataset.chord) return;
  if (list ? listKey(event.key, event.shiftKey) : threadKey(event.key)) event.preventDefault();
});

/** Says at the foot of an open thread that more has come; it is not read before somebody looks. */
async function lookForMore() {
  // On a page of earlier messages the later ones are no news.
  if (!location.pathname.startsWith('/threads/') || /earlier=[1-9]/.test(location.search)) return;
  let ids;
  try {
    const answer = await fetch(location.pathname, { headers: { 'X-Part': 'ids' } });
    if (!answer.ok || answer.redirected) return;
    ids = await answer.json();
  } catch {
    return;
  }
  const here = new Set([...thread.querySelectorAll('.message')].map(idOf));
  // A long thread is shown from a later message on: what lies before the first shown is not new.
  const more = ids.slice(ids.findIndex((id) => here.has(id))).filter((id) => !here.has(id));
  thread.querySelector('[data-more]')?.remove();
  if (here.size === 0 || more.length === 0) return;
  const words = more.length === 1 ? '1 new message has come. ' : `${more.length} new messages have come. `;
  const link = make('a', '', 'Show');
  link.href = `#m-${more[0]}`;
  link.addEventListener('click', () => setTimeout(() => location.reload()));
  const line = make('p', 'more', words, link);
  line.dataset.more = '';
  line.setAttribute('role', 'status');
  thread.querySelector('.messages').append(line);
}

// Much news at once (the first fetch of a mailbox) brings the page up to date now and then, not each time.
let waits = false;
document.addEventListener('mailkeep:changed', () => {
  if (waits || !(list || thread)) return;
  waits = true;
  setTimeout(() => { waits = false; if (list) refresh(); else lookForMore(); }, 300);
});

// Coming to a thread: the first unread message is what one came for.
if (thread && !location.hash) {
  const unread = thread.querySelector('.message.unread');
  if (unread?.previousElementSibling) unread.scrollIntoView({ block: 'start' });
}
showPicked();
