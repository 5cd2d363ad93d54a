// Loaded before the page is drawn, so that nothing that people do earlier than the other scripts are there is lost.
"use strict";

// What cannot be taken back asks first.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-confirm]");
  if (button && !confirm(button.dataset.confirm)) event.preventDefault();
});

// What was typed or chosen too early takes effect once the other scripts have set up the page.
{
  const early = new Set();
  const note = (event) => early.add(event.target);
  for (const kind of ["input", "change"]) document.addEventListener(kind, note, true);
  document.addEventListener("DOMContentLoaded", () => {
    for (const kind of ["input", "change"]) document.removeEventListener(kind, note, true);
    setTimeout(() => {
      const filters = new Set([...early].map((element) => element.closest("form[data-submit-on-change]")));
      for (const form of filters) if (form) form.requestSubmit();
      for (const element of early) {
        if (!element.closest("form[data-submit-on-change]")) element.dispatchEvent(new Event("change", { bubbles: true }));
      }
    });
  });
}
