// Writing: saved as one types, recipients as chips, files dropped and pasted, Ctrl-Enter sends.

import { forecast } from './forecast.js';
import { icon, make, post, say, whenQuiet } from './page.js';

const form = document.querySelector('[data-composer]');
const saved = form?.querySelector('[data-saved]');
const files = form?.querySelector('[data-files]');
const kept = form?.querySelector('[data-kept]');

/** "Anna <a@x>, Bob <b@y>" in its parts; commas within quotes and angles stay. */
export function split(text) {
  const parts = [];
  let part = '';
  let quoted = false;
  let angled = false;
  for (const letter of text) {
    if (letter === '"') quoted = !quoted;
    if (letter === '<' && !quoted) angled = true;
    if (letter === '>' && !quoted) angled = false;
    if (/[,;\n]/.test(letter) && !quoted && !angled) {
      parts.push(part.trim());
      part = '';
    } else part += letter;
  }
  return [...parts, part.trim()].filter(Boolean);
}

const addressOf = (person) => person.match(/<([^<>]*)>\s*$/)?.[1].trim() ?? person;
const nameOf = (person) => person.replace(/<[^<>]*>\s*$/, '').replaceAll('"', '').trim() || addressOf(person);
const isAddress = (text) => /^[^\s@,<>]+@[^\s@,<>]+$/.test(text);

/** Puts chips in place of a field; the field itself stays, hidden, with the whole text. */
function chips(whole) {
  const entry = document.createElement('input');
  entry.id = whole.id;
  entry.autocomplete = 'off';
  entry.autocapitalize = 'none';
  entry.spellcheck = false;
  entry.setAttribute('list', 'people');
  const box = make('div', 'chips', entry);
  let people = split(whole.value);
  const hadFocus = document.activeElement === whole;
  whole.removeAttribute('id');
  whole.removeAttribute('autofocus');
  whole.type = 'hidden';
  whole.after(box);

  const update = (tell = true) => {
    whole.value = people.join(', ');
    box.replaceChildren(...people.map((person, at) => {
      const off = make('button', '', icon('close'), make('span', 'vh', `Take ${nameOf(person)} off`));
      off.type = 'button';
      off.addEventListener('click', () => { people.splice(at, 1); update(); entry.focus(); });
      const chip = make('span', 'recipient', make('bdi', '', nameOf(person)), off);
      chip.title = addressOf(person);
      chip.classList.toggle('wrong', !isAddress(addressOf(person)));
      return chip;
    }), entry);
    if (tell) changed();
  };
  const take = () => {
    if (!entry.value.trim()) return;
    people = people.concat(split(entry.value));
    entry.value = '';
    update();
  };
  entry.addEventListener('keydown', (event) => {
    if (['Enter', ',', ';'].includes(event.key) && !event.ctrlKey && entry.value.trim() && !event.isComposing) {
      event.preventDefault();
      take();
      entry.focus();
    } else if (event.key === 'Enter' && !event.ctrlKey) event.preventDefault();
    else if (event.key === 'Backspace' && entry.value === '' && people.length > 0) {
      event.preventDefault();
      entry.value = people.pop();
      update();
      entry.focus();
    }
  });
  entry.addEventListener('blur', take);
  entry.addEventListener('input', (event) => {
    // A person chosen from the list arrives whole.
    if (event.inputType === 'insertReplacementText' || (!event.inputType && entry.value.includes('@'))) { take(); entry.focus(); }
  });
  form.addEventListener('submit', take, true);
  update(false);
  if (hadFocus) entry.focus();
}

let dirty = false;
let saving = null;
/** Whether the form is on its way, and nothing is saved any more; and whether it was sent just now. */
let leaving = false;
let sent = false;
/** The chosen files that are not in the draft yet. The field holds the same, so that they go without a save, too. */
let waiting = [];
/** Whether the list of drafts shows less than what was saved. */
let unsettled = false;

const foretell = form ? forecast(form) : () => {};

const changed = () => {
  foretell();
  dirty = true;
  leaving = false;
  if (saved) saved.textContent = '';
  soon();
};

/** What is sent as the page goes away must be small to arrive. */
const isSmall = () => waiting.length === 0 && form.elements.body.value.length < 15000;

async function save(settle = false) {
  if (leaving || saving || !(dirty || (settle && unsettled))) return saving;
  dirty = false;
  unsettled = !settle;
  saving = (async () => {
    try {
      const fields = new FormData(form);
      const going = [...waiting];
      const boxes = [...kept.querySelectorAll('input:checked')];
      if (settle) fields.set('settle', '1');
      const answer = await post('/compose/save', fields, { keepalive: settle && isSmall() });
      form.elements.draft.value = answer.draft ?? form.elements.draft.value;
      if (answer.trouble) say(answer.trouble, 30);
      if (!dirty) saved.textContent = answer.saved ? `Saved ${answer.saved}` : '';
      hold(waiting.filter((file) => !going.includes(file)));
      if (Array.isArray(answer.kept)) showKept(answer.kept, boxes);
    } catch (trouble) {
      dirty = true;
      saved.textContent = `Not saved. ${trouble.message}`;
    } finally {
      saving = null;
    }
    if (dirty && !leaving) soon();
  })();
  return saving;
}
const soon = whenQuiet(2500, () => save());

/** The files that the draft holds now, first those of `boxes`: one of these may have been unticked since. */
function showKept(list, boxes) {
  kept.replaceChildren(...list.map((file, at) => {
    const checked = boxes[at]?.checked ?? true;
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', name: 'keep_attachment', value: file.n, checked });
    return make('li', '', make('label', '', box, make('span', 'file-name', file.name), make('span', 'file-kind', file.size_words)));
  }));
  showWaiting();
}

/** Sets the files that wait, here and in the field. */
function hold(list) {
  const all = new DataTransfer();
  for (const file of list) all.items.add(file);
  files.files = all.files;
  waiting = list;
}

/** Adds files to those that wait; a dialog gives the new ones alone. */
function add(more) {
  if (more.length > 0) changed();
  hold([...waiting, ...more]);
  showWaiting();
}

function showWaiting() {
  for (const item of kept.querySelectorAll('[data-waiting]')) item.remove();
  for (const file of waiting) {
    const item = make('li', '', make('span', 'file-name', file.name), make('span', 'file-kind', ' being added'));
    item.dataset.waiting = '';
    kept.append(item);
  }
}

function discard(event) {
  const button = event.submitter;
  const isEmpty = !form.elements.body.value.trim() && !form.elements.draft.value;
  if (isEmpty || button.dataset.asked) return;
  event.preventDefault();
  button.dataset.asked = '1';
  button.textContent = 'Throw this draft away';
  setTimeout(() => { delete button.dataset.asked; button.textContent = 'Discard'; }, 5000);
}

function start() {
  for (const field of form.querySelectorAll('[data-people]')) chips(field);
  form.addEventListener('input', changed);
  files.addEventListener('change', () => add([...files.files]));
  form.addEventListener('submit', (event) => {
    // A second click sends nothing.
    if (sent) return event.preventDefault();
    const deed = event.submitter?.value;
    if (deed === 'discard') discard(event);
    if (deed === 'send' && !form.elements.to.value && !form.elements.cc.value && !form.elements.bcc.value) {
      event.preventDefault();
      say('It has nobody to go to yet.');
      form.querySelector('#c-to').focus();
    }
    if (event.defaultPrevented) return;
    leaving = true;
    sent = true;
    if (saving) {
      // Let the draft have its number first, or it is saved twice.
      event.preventDefault();
      const { submitter } = event;
      saving.finally(() => { sent = false; form.requestSubmit(submitter); });
      return;
    }
    // Whoever stopped the page from loading may try again.
    setTimeout(() => { sent = false; }, 10000);
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!event.repeat) form.requestSubmit(form.querySelector('[data-send]'));
    }
  });
  form.addEventListener('paste', (event) => add(event.clipboardData?.files ?? []));
  form.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    form.classList.add('dropping');
  });
  form.addEventListener('dragleave', () => form.classList.remove('dropping'));
  form.addEventListener('drop', (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    form.classList.remove('dropping');
    add(event.dataTransfer.files);
  });
  addEventListener('visibilitychange', () => { if (document.hidden) save(true); });
  addEventListener('beforeunload', (event) => {
    // What is too large to be sent on the way out is sent while the browser asks whether to go.
    if (dirty && !leaving && !isSmall()) event.preventDefault();
    save(true);
  });
}

if (form) start();
