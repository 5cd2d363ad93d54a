// Upload: the file stays in the browser until it is stored; it is sent once to be inspected and once to be kept.
"use strict";

(() => {
  const form = document.querySelector("[data-upload]");
  const input = form.querySelector("input[type=file]");
  const state = document.querySelector("[data-upload-state]");
  const place = document.querySelector("[data-report]");
  const byHand = document.querySelector("[data-by-hand]");
  let file = null;
  let answers = {};
  let columns = {};
  let isStoring = false;

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
    if (answer.status === 401) return "Your session has ended. Log in again in another tab, then try again here.";
    const document = await answer.json();
    if ((document.type || "").endsWith(":missing-column")) byHand.hidden = false;
    return document.detail || document.title || `The server answered ${answer.status}.`;
  }

  async function draw(path, document) {
    const answer = await fetch(path, { method: "POST", body: JSON.stringify(document), headers: { "Content-Type": "application/json" } });
    if (!answer.ok) throw new Error(await problemOf(answer));
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    place.replaceChildren(...parsed.body.childNodes);
    const kept = place.querySelector(`[name=lane][value="${answers.lane || ""}"]`);
    if (kept) kept.checked = true;
    const title = place.querySelector("h2");
    if (title) { title.focus({ preventScroll: true }); title.scrollIntoView({ block: "nearest" }); }
  }

  // What was chosen by hand so far: answers to open questions, the lane, and which column holds a field. The latest word holds.
  function choices() {
    for (const element of place.querySelectorAll("[data-answer]")) {
      if (element.value) answers[element.name] = element.value;
    }
    const lane = place.querySelector("[name=lane]:checked");
    if (lane) answers.lane = lane.value;
    for (const element of place.querySelectorAll("[data-column]")) {
      if (element.value && element.value !== element.dataset.was) columns[element.value] = element.dataset.column;
    }
    for (const element of byHand.querySelectorAll("[data-field]")) {
      if (element.value.trim()) columns[element.dataset.field] = element.value.trim();
    }
    const map = Object.entries(columns).map(([field, column]) => `${field}=${column}`).join("\n");
    return Object.assign({ map }, answers);
  }

  async function send(path, drawAt, doing, done) {
    const sent = file;
    say(`${doing} ${sent.name} …`);
    try {
      const answer = await fetch(path, { method: "POST", body: body(choices()) });
      if (sent !== file) return; // another one was chosen meanwhile
      if (answer.ok) {
        byHand.hidden = true;
        await draw(drawAt, Object.assign(await answer.json(), { lane: answers.lane || "" }));
        say(done);
      } else {
        say(await problemOf(answer), true);
      }
    } catch (error) {
      say(`The server cannot be reached: ${error.message}`, true);
    }
  }

  const inspect = () => send("/api/products/inspect", "/upload/report", "Reading", "Nothing is stored yet.");

  // A second click would send the file twice, and another page would not show what became of it.
  async function store() {
    if (isStoring) return;
    isStoring = true;
    input.disabled = true;
    await send("/api/products/bulk-upload", "/upload/result", "Storing", "");
    document.dispatchEvent(new Event("weighbridge:stored"));
    input.disabled = false;
    isStoring = false;
  }
  addEventListener("beforeunload", (event) => { if (isStoring) event.preventDefault(); });

  function take(chosen) {
    if (!chosen || input.disabled) return;
    file = chosen;
    answers = {};
    columns = {};
    place.replaceChildren();
    byHand.reset();
    byHand.hidden = true;
    form.querySelector("[data-file-name]").textContent = file.name;
    form.classList.add("has-file");
    inspect();
  }

  input.addEventListener("change", () => take(input.files[0]));
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => { event.preventDefault(); form.classList.add("is-over"); });
  }
  for (const kind of ["dragleave", "drop"]) form.addEventListener(kind, () => form.classList.remove("is-over"));
  form.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
  byHand.addEventListener("submit", (event) => { event.preventDefault(); inspect(); });
  place.addEventListener("submit", (event) => { event.preventDefault(); store(); });
  place.addEventListener("click", (event) => { if (event.target.closest("[data-again]") && !isStoring) inspect(); });
})();
