// Loaded before the page is drawn, so that no button can be pressed earlier: what cannot be taken back asks first.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-confirm]");
  if (button && !confirm(button.dataset.confirm)) event.preventDefault();
});
