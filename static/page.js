// What all scripts share: the form token, sending a form, saying a sentence, telling typing from keys.

document.documentElement.classList.add('script');
for (const element of document.querySelectorAll('[data-needs-script]')) element.hidden = false;

export const csrf = document.body.dataset.csrf ?? document.querySelector('input[name="csrf"]')?.value ?? '';

/** Sends fields to a page of ours and gives the JSON answer, or its text; throws a sentence when it did not work. */
export async function post(address, fields, { text = false, ...more } = {}) {
  let body = fields;
  if (!(fields instanceof FormData)) {
    body = new URLSearchParams(fields);
    if (!body.has('csrf')) body.set('csrf', csrf);
  }
  let answer;
  try {
    answer = await fetch(address, { method: 'POST', body, headers: { Accept: 'application/json' }, ...more });
  } catch {
    throw new Error('Mailkeep does not answer. Nothing was changed.');
  }
  // A locked store answers with the way to the door.
  if (answer.redirected && new URL(answer.url).pathname === '/unlock') {
    location.assign(answer.url);
    throw new Error('Mailkeep is locked.');
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.words ?? told.detail ?? 'That did not work. Nothing was changed.');
  }
  return text ? answer.text() : answer.json();
}

let hush = 0;

/** Says one sentence at the foot of the page, for a while. */
export function say(words, seconds = 6) {
  const place = document.querySelector('[data-said]');
  if (!place) return;
  place.textContent = words;
  clearTimeout(hush);
  hush = setTimeout(() => { place.textContent = ''; }, seconds * 1000);
}

/** Whether a key press belongs to what is being typed, or to a dialog. */
export function isTyping(event) {
  if (event.defaultPrevented || event.isComposing || event.altKey || event.metaKey || event.ctrlKey) return true;
  const at = event.target;
  if (document.querySelector('dialog[open]')) return true;
  return at instanceof HTMLElement && at.matches('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]');
}

/** Calls `deed` once, `wait` milliseconds after the last call. */
export function whenQuiet(wait, deed) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(deed, wait);
  };
}

/** An icon of the page's set. */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(space, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** An element with a class and children; strings become text, never markup. */
export function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
