// Passkeys: one is added, or signed in with, by the browser's own dialog; what it answers goes with the form.

import { post } from './page.js';

const known = globalThis.PublicKeyCredential;
const canAsk = Boolean(navigator.credentials && known?.parseCreationOptionsFromJSON && known?.parseRequestOptionsFromJSON);

/** Why the browser gave none, as far as it says. */
function why(trouble) {
  if (trouble.name === 'InvalidStateError') return 'This device has a passkey for here already.';
  if (trouble.name === 'NotAllowedError' || trouble.name === 'AbortError') return 'No passkey was used. Nothing was changed.';
  return trouble instanceof DOMException ? 'The browser cannot do that with this passkey.' : trouble.message;
}

for (const form of document.querySelectorAll('[data-passkey-form]')) {
  const { passkeyForm: address, passkeyDeed: deed } = form.dataset;
  const button = form.querySelector('[data-passkey]');
  const told = form.querySelector('[data-passkey-trouble]');
  button.hidden = !canAsk;
  form.querySelector('[data-passkey-none]')?.toggleAttribute('hidden', canAsk);
  const tell = (words) => {
    told.textContent = words;
    told.hidden = !words;
  };
  const ask = async () => {
    tell('');
    // What is typed in a code's place does not matter here.
    const needed = [...form.elements].filter((field) => field.required && field.name !== 'code');
    if (!needed.every((field) => field.reportValidity())) return;
    button.setAttribute('aria-busy', 'true');
    try {
      const { ceremony, options } = await post(address, deed === 'add' ? new FormData(form) : {});
      const held = deed === 'add'
        ? await navigator.credentials.create({ publicKey: known.parseCreationOptionsFromJSON(options.publicKey) })
        : await navigator.credentials.get({ publicKey: known.parseRequestOptionsFromJSON(options.publicKey) });
      form.elements.ceremony.value = ceremony;
      form.elements.passkey.value = JSON.stringify(held);
      // It was asked for once.
      if (deed === 'add') form.elements.passphrase.value = '';
      form.submit();
    } catch (trouble) {
      tell(why(trouble));
    } finally {
      button.removeAttribute('aria-busy');
    }
  };
  button.addEventListener('click', ask);
}
