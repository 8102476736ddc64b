// The recovery sheet: a button that prints it.

import './page.js';

for (const button of document.querySelectorAll('[data-print]')) button.addEventListener('click', () => print());
