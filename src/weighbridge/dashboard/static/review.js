// Files of corrections and bills of materials, and figures computed anew: the API does the work and
// says what it did, or what cannot be used.
"use strict";

(() => {
  function say(form, text, isBad, lines = []) {
    const state = form.querySelector("[data-state]");
    state.textContent = text;
    state.className = isBad ? "upload-state banner bad" : "upload-state";
    state.setAttribute("role", isBad ? "alert" : "status");
    const list = form.querySelector("[data-lines]");
    list.replaceChildren(...lines.map((line) => element("li", line)));
    list.hidden = lines.length === 0;
    form.querySelector("[data-figures]").hidden = true;
  }

  function element(kind, text, label) {
    const made = document.createElement(kind);
    made.textContent = text;
    if (label) { made.dataset.label = label; made.className = "num"; }
    return made;
  }

  // With as many digits as it takes to see a difference.
  function masses(before, after) {
    for (let digits = 2; digits < 8; digits += 1) {
      const written = [before, after].map((value) => `${Number(value.toPrecision(digits)).toLocaleString("en")} kg`);
      if (written[0] !== written[1] || before === after) return written;
    }
    return [`${before} kg`, `${after} kg`];
  }

  function showFigures(form, figures, remark) {
    const rows = figures.map((one) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      const link = element("a", one.code);
      link.href = `/products/${encodeURIComponent(one.code)}`;
      head.scope = "row";
      head.append(link);
      const [before, after] = masses(one.beforeKgCo2e, one.afterKgCo2e);
      row.append(head, element("td", before, "Before"), element("td", after, "After"), element("td", remark(one)));
      return row;
    });
    const table = form.querySelector("[data-figures]");
    table.querySelector("tbody").replaceChildren(...rows);
    table.hidden = rows.length === 0;
  }

  const SHOWN = 100; // rows of figures; a file may have a hundred thousand
  const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

  function showDone(form, done) {
    const { corrected, leftOut = [], waiting = [], unchanged = [], notes = [] } = done;
    const said = [corrected.length ? `${count(corrected.length, "product")} corrected.` : "No figure was corrected."];
    if (waiting.length) said.push(`${count(waiting.length, "product")} not processed yet: the bill is used once they are.`);
    if (unchanged.length) said.push(`${count(unchanged.length, "product")} had this bill already.`);
    if (corrected.length > SHOWN) said.push(`The first ${SHOWN} are listed.`);
    say(form, said.join(" "), false, [...leftOut, ...notes]);
    showFigures(form, corrected.slice(0, SHOWN), (one) => one.notes.join(" "));
  }

  async function send(form, address, options, show) {
    const buttons = [...form.querySelectorAll("button")];
    for (const button of buttons) button.disabled = true;
    try {
      const answer = await fetch(address, { method: "POST", ...options });
      const isJson = (answer.headers.get("content-type") || "").includes("json");
      const body = isJson ? await answer.json() : { detail: `The server answered ${answer.status}.` };
      if (answer.ok) show(body);
      else if (answer.status === 401) say(form, "Your session has ended. Log in again in another tab (/login), then press the button once more.", true);
      else {
        const lines = (body.detail || body.title).split("\n");
        if (lines.length === 1) say(form, lines[0], true);
        else say(form, "Nothing was stored. What cannot be used:", true, lines);
      }
    } catch (error) {
      say(form, `The server cannot be reached: ${error.message}`, true);
    }
    for (const button of buttons) button.disabled = false;
  }

  for (const form of document.querySelectorAll("[data-desk-file]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = new FormData(form);
      const file = given.get("file");
      const body = new FormData();
      body.append("file", file, file.name);
      const query = new URLSearchParams({ reason: given.get("reason").trim(), replace: given.has("replace") });
      say(form, `Checking ${file.name} …`, false);
      send(form, `${form.action}?${query}`, { body }, (done) => showDone(form, done));
    });
    form.querySelector("button").disabled = false; // before, the browser itself would send the file and show the bare answer
  }

  const anew = document.querySelector("[data-recompute]");
  anew.addEventListener("submit", (event) => {
    event.preventDefault();
    const dryRun = event.submitter.value === "true";
    const body = JSON.stringify({ dryRun });
    say(anew, "Computing …", false);
    send(anew, anew.action, { body, headers: { "Content-Type": "application/json" } }, (done) => {
      const verb = dryRun ? "would move" : "moved";
      const said = [`${done.moved.toLocaleString("en")} of ${count(done.products, "figure")} ${verb}.`];
      if (done.moved) said.push(`Half of the changes are larger than ${(done.medianChange * 100).toPrecision(2)} %.`);
      if (done.withoutFigure) said.push(`${count(done.withoutFigure, "product")} could not be computed and keep their figure.`);
      const causes = Object.entries(done.causes).map(([cause, number]) => `${cause}: ${count(number, "figure")}`);
      say(anew, said.join(" "), false, [...causes, ...done.problems]);
      showFigures(anew, done.largest, (one) => one.causes.join("; "));
    });
  });
  for (const button of anew.querySelectorAll("button")) button.disabled = false;
})();
