// Devices: a pairing goes on by itself while the page is open.

import { say } from './page.js';

/** While the page is open, Mailkeep looks after the devices often; it is told so this often, in milliseconds. */
const OFTEN = 30_000;

let busy = false;
let again = false;

/** Whether somebody is at it: types, or has opened something. */
function inUse(place) {
  const at = document.activeElement;
  return (place.contains(at) && at.matches('input, select, textarea')) || place.querySelector('details[open]') !== null;
}

function renew(old, fresh) {
  const stage = old.dataset.mark;
  if (stage === undefined) {
    if (!inUse(old) && old.innerHTML !== fresh.innerHTML) old.replaceWith(fresh);
    return;
  }
  if (stage === fresh.dataset.mark) return;
  const had = old.contains(document.activeElement) || document.activeElement === document.body;
  old.replaceWith(fresh);
  const heading = fresh.querySelector('h3');
  if (!heading) return;
  say(heading.textContent);
  if (had) (fresh.querySelector('[autofocus]') ?? heading).focus();
}

async function look() {
  if (document.hidden) return;
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch('/devices');
    if (answer.redirected) return void location.assign(answer.url);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    for (const place of document.querySelectorAll('[data-live]')) {
      const found = fresh.querySelector(`[data-live="${place.dataset.live}"]`);
      if (found) renew(place, found);
    }
  } catch {
    // The next news, or the next look, brings it.
  } finally {
    busy = false;
    if (again) { again = false; look(); }
  }
}

document.addEventListener('mailkeep:devices', look);
document.addEventListener('mailkeep:changed', look);
setInterval(look, OFTEN);
