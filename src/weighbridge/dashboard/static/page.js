// On every page: the theme, times in the reader's own zone, and what is selected.
"use strict";

const root = document.documentElement;

function currentTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return root.dataset.theme || (dark ? "dark" : "light");
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-toggle]")) return;
  const theme = currentTheme() === "dark" ? "light" : "dark";
  root.dataset.theme = theme;
  document.cookie = `weighbridge_theme=${theme}; path=/; max-age=31536000; samesite=strict`;
  document.dispatchEvent(new Event("weighbridge:theme"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
  document.dispatchEvent(new Event("weighbridge:theme")));

const sameDay = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const otherDay = new Intl.DateTimeFormat([], { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const inFull = new Intl.DateTimeFormat([], { dateStyle: "short", timeStyle: "medium" });

function writeTimes(within) {
  for (const element of within.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const isToday = at.toDateString() === new Date().toDateString();
    element.textContent = (isToday ? sameDay : otherDay).format(at);
    element.title = inFull.format(at);
  }
}
writeTimes(document);
document.addEventListener("htmx:afterSettle", (event) => writeTimes(event.target));

// A choice in a form with data-submit-on-change is a wish to see it.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-submit-on-change]");
  if (form && event.target.matches("select, input[type=checkbox]")) form.requestSubmit();
});

// "Select all" of a table, and how many are selected.
function noteSelection(form) {
  const boxes = [...form.querySelectorAll("input[data-select]")];
  const chosen = boxes.filter((box) => box.checked).length;
  for (const element of form.querySelectorAll("[data-selected-count]")) element.textContent = chosen;
  for (const element of form.querySelectorAll("[data-needs-selection]")) {
    element.disabled = chosen === 0 || element.hasAttribute("data-forbidden");
  }
}
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-selection]");
  if (!form) return;
  if (event.target.matches("[data-select-all]")) {
    for (const box of form.querySelectorAll("input[data-select]")) box.checked = event.target.checked;
  }
  noteSelection(form);
});
for (const form of document.querySelectorAll("form[data-selection]")) noteSelection(form);

document.addEventListener("htmx:afterSettle", () => {
  for (const form of document.querySelectorAll("form[data-selection]")) noteSelection(form);
});

// A refused form: what is wrong may be far from the button that was pressed.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id !== "main" || event.detail.xhr?.status !== 422) return;
  const field = event.target.querySelector("[aria-invalid=true]");
  const shown = field || [...event.target.querySelectorAll("[role=alert]")].find((one) => !one.hidden);
  if (!shown) return;
  shown.scrollIntoView({ block: "center" });
  field?.focus({ preventScroll: true });
});

// A refusal that no part of the page shows, and a server that cannot be reached.
function tellTrouble(...parts) {
  const told = document.querySelector("[data-trouble]");
  if (!told) return;
  told.replaceChildren(...parts);
  told.hidden = false;
  told.scrollIntoView({ block: "center" }); // the button that was pressed may be far below
}
// The session is over: the login page leads back here.
function logInAgain() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr.status !== 401) return;
  if (event.detail.requestConfig.verb === "get") { logInAgain(); return; }
  const link = document.createElement("a"); // elsewhere: what was entered here would be lost
  link.href = "/login";
  link.target = "_blank";
  link.textContent = "Log in in another tab";
  tellTrouble("Your session has ended, and nothing was changed. ", link, ", then press the button here again: what you entered is still there.");
});
document.addEventListener("htmx:responseError", (event) => {
  let detail = "";
  try { detail = JSON.parse(event.detail.xhr.responseText).detail; } catch { /* not a document */ }
  tellTrouble(detail || "The server refused this. Reload the page and try again.");
});
document.addEventListener("htmx:sendError", () => {
  tellTrouble("The server cannot be reached. Nothing was changed; try again.");
});

// On a phone the pages stand in one line: the present one has to be in sight.
const here = document.querySelector(".site nav [aria-current]");
if (here) {
  const line = here.closest("nav");
  line.scrollLeft = here.offsetLeft - line.offsetLeft - (line.clientWidth - here.offsetWidth) / 2;
}

// In place of a page whose sums take long: asks again until the page is there. A page that reloads
// itself all the time would take the focus away each time.
async function waitForSums() {
  const answer = await fetch(location.href).catch(() => null);
  if (answer && answer.status === 401) logInAgain();
  const text = answer && answer.ok ? await answer.text() : "";
  const isThere = text && !new DOMParser().parseFromString(text, "text/html").querySelector("[data-adding]");
  if (isThere) location.reload(); else setTimeout(waitForSums, 2000);
}
if (document.querySelector("[data-adding]")) setTimeout(waitForSums, 2000);
