// What will happen to the message that is written, asked anew when those it goes to change.

import { post, whenQuiet } from './page.js';

// While a key is looked for, it is asked so often whether it came, in milliseconds.
const AGAIN = 2000;
const NAMES = ['from', 'to', 'cc', 'bcc', 'encrypt', 'answers', 'came_private'];

/** Watches a form; what it gives is to be called when something was typed. */
export function forecast(form) {
  const read = () => ({
    ...Object.fromEntries(NAMES.map((name) => [name, form.elements[name]?.value ?? ''])),
    // An answer at the foot of a thread is one when its first words are there.
    writing: form.elements.body?.value ? '1' : '',
    // What is still being typed is nobody's address yet, and nobody is asked about it.
    typing: ['to', 'cc', 'bcc'].find((name) => form.elements[name] === document.activeElement) ?? '',
  });
  const word = (fields) => JSON.stringify(fields);
  let told = word(read());
  let asking = false;

  const ask = async () => {
    const fields = read();
    if (asking || (word(fields) === told && !looking())) return;
    asking = true;
    try {
      show(form, await post('/compose/plan', fields, { text: true }));
    } catch {
      // What is shown stays; sending decides anew, and says so. Nobody is asked again and again.
      form.querySelector('[data-looking]')?.removeAttribute('data-looking');
    } finally {
      told = word(fields);
      asking = false;
    }
    if (looking()) later();
    else soon();
  };
  const looking = () => form.querySelector('[data-looking]') !== null;
  const soon = whenQuiet(300, ask);
  const later = whenQuiet(AGAIN, ask);
  form.addEventListener('focusout', soon);
  if (looking()) later();
  return soon;
}

function show(form, html) {
  const fresh = new DOMParser().parseFromString(html, 'text/html').querySelector('[data-forecast]');
  const old = form.querySelector('[data-forecast]');
  if (!fresh || !old) return;
  const wasOpen = old.querySelector('[data-why]')?.open;
  const why = fresh.querySelector('[data-why]');
  if (why && wasOpen) why.open = true;
  old.replaceChildren(...fresh.childNodes);
  old.toggleAttribute('data-looking', fresh.hasAttribute('data-looking'));
  form.querySelector('[data-send-label]').textContent = fresh.dataset.sendWords;
}
