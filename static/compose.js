// Writing: saved as one types, recipients as chips, files dropped and pasted, Ctrl-Enter sends.

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
let leaving = false;
/** Whether the list of drafts shows less than what was saved. */
let unsettled = false;

const changed = () => {
  dirty = true;
  if (saved) saved.textContent = '';
  soon();
};

/** What is sent as the page goes away must be small to arrive. */
const isSmall = () => files.files.length === 0 && form.elements.body.value.length < 15000;

async function save(settle = false) {
  if (leaving || saving || !(dirty || (settle && unsettled))) return saving;
  dirty = false;
  unsettled = !settle;
  saving = (async () => {
    try {
      const fields = new FormData(form);
      if (settle) fields.set('settle', '1');
      const answer = await post('/compose/save', fields, { keepalive: settle && isSmall() });
      form.elements.draft.value = answer.draft ?? form.elements.draft.value;
      if (!dirty) saved.textContent = answer.saved ? `Saved ${answer.saved}` : '';
      if (Array.isArray(answer.kept)) showKept(answer.kept);
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

/** The files that the draft holds now; what was chosen is among them and need not be sent again. */
function showKept(list) {
  files.value = '';
  kept.replaceChildren(...list.map((file) => {
    const box = Object.assign(document.createElement('input'), { type: 'checkbox', name: 'keep_attachment', value: file.n, checked: true });
    return make('li', '', make('label', '', box, make('span', 'file-name', file.name), make('span', 'file-kind', file.size_words)));
  }));
}

function add(dropped) {
  if (dropped.length === 0) return;
  const all = new DataTransfer();
  for (const file of [...files.files, ...dropped]) all.items.add(file);
  files.files = all.files;
  showWaiting();
}

function showWaiting() {
  for (const item of kept.querySelectorAll('[data-waiting]')) item.remove();
  for (const file of files.files) {
    const item = make('li', '', make('span', 'file-name', file.name), make('span', 'file-kind', ' being added'));
    item.dataset.waiting = '';
    kept.append(item);
  }
  changed();
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
  files.addEventListener('change', showWaiting);
  form.addEventListener('submit', (event) => {
    const deed = event.submitter?.value;
    if (deed === 'discard') discard(event);
    if (deed === 'send' && !form.elements.to.value && !form.elements.cc.value && !form.elements.bcc.value) {
      event.preventDefault();
      say('It has nobody to go to yet.');
      form.querySelector('#c-to').focus();
    }
    leaving = !event.defaultPrevented;
    if (leaving && saving && event.submitter) {
      // Let the draft have its number first, or it is saved twice.
      event.preventDefault();
      const { submitter } = event;
      saving.finally(() => form.requestSubmit(submitter));
    }
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector('[data-send]'));
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
