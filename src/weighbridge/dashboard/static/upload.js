// Upload: the file stays in the browser until it is stored; it is sent once to be inspected and once to be kept.
"use strict";

(() => {
  const form = document.querySelector("[data-upload]");
  const input = form.querySelector("input[type=file]");
  const state = document.querySelector("[data-upload-state]");
  const place = document.querySelector("[data-report]");
  let file = null;

  function say(text, isBad) {
    state.textContent = text;
    state.className = isBad ? "upload-state banner bad" : "upload-state";
    if (isBad) state.setAttribute("role", "alert"); else state.setAttribute("role", "status");
  }

  function body(choices) {
    const data = new FormData();
    for (const [name, value] of Object.entries(choices)) if (value) data.append(name, value);
    data.append("file", file, file.name);
    return data;
  }

  async function problemOf(answer) {
    const type = answer.headers.get("content-type") || "";
    if (!type.includes("json")) return `The server answered ${answer.status}.`;
    const document = await answer.json();
    return document.detail || document.title || `The server answered ${answer.status}.`;
  }

  async function draw(path, document) {
    const answer = await fetch(path, { method: "POST", body: JSON.stringify(document), headers: { "Content-Type": "application/json" } });
    if (!answer.ok) throw new Error(await problemOf(answer));
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    place.replaceChildren(...parsed.body.childNodes);
    const title = place.querySelector("h2");
    if (title) { title.focus({ preventScroll: true }); title.scrollIntoView({ block: "nearest" }); }
  }

  // What was chosen by hand: answers to open questions, and columns taken as something else.
  function choices() {
    const chosen = {};
    for (const element of place.querySelectorAll("[data-answer]")) chosen[element.name] = element.value;
    const map = [...place.querySelectorAll("[data-column]")]
      .filter((element) => element.value && element.value !== element.dataset.was)
      .map((element) => `${element.value}=${element.dataset.column}`);
    if (map.length) chosen.map = map.join("\n");
    return chosen;
  }

  async function inspect(chosen) {
    say(`Reading ${file.name} …`);
    try {
      const answer = await fetch("/api/products/inspect", { method: "POST", body: body(chosen) });
      if (answer.status === 405) { await store(); return; }
      if (!answer.ok) { place.replaceChildren(); say(await problemOf(answer), true); return; }
      await draw("/upload/report", await answer.json());
      remember(chosen);
      say("Nothing is stored yet.");
    } catch (error) {
      say(`The server cannot be reached: ${error.message}`, true);
    }
  }

  let before = {};
  function remember(chosen) { before = chosen; }

  async function store() {
    const chosen = Object.assign({}, before, choices());
    if (before.map && choices().map) chosen.map = `${before.map}\n${choices().map}`;
    say(`Storing ${file.name} …`);
    try {
      const answer = await fetch("/api/products/bulk-upload", { method: "POST", body: body(chosen) });
      if (!answer.ok) { say(await problemOf(answer), true); return; }
      await draw("/upload/result", await answer.json());
      say("");
    } catch (error) {
      say(`The server cannot be reached: ${error.message}`, true);
    }
  }

  function take(chosen) {
    if (!chosen || input.disabled) return;
    file = chosen;
    form.querySelector("[data-file-name]").textContent = file.name;
    before = {};
    inspect({});
  }

  input.addEventListener("change", () => take(input.files[0]));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => { event.preventDefault(); form.classList.add("is-over"); });
  }
  for (const kind of ["dragleave", "drop"]) form.addEventListener(kind, () => form.classList.remove("is-over"));
  form.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
  place.addEventListener("submit", (event) => { event.preventDefault(); store(); });
  place.addEventListener("click", (event) => {
    if (event.target.closest("[data-again]")) {
      const chosen = Object.assign({}, before, choices());
      if (before.map && choices().map) chosen.map = `${before.map}\n${choices().map}`;
      inspect(chosen);
    }
  });
})();
