// Own factors: the file goes to the API, which takes all of it or names every bad cell.
"use strict";

(() => {
  const form = document.querySelector("[data-factors]");
  const input = form.querySelector("input[type=file]");
  const state = document.querySelector("[data-factors-state]");
  const rows = document.querySelector("[data-bad-rows]");

  function say(text, isBad) {
    state.textContent = text;
    state.className = isBad ? "upload-state banner bad" : "upload-state";
    state.setAttribute("role", isBad ? "alert" : "status");
  }

  function cell(kind, text, label) {
    const element = document.createElement(kind);
    element.textContent = text;
    if (label) element.dataset.label = label;
    return element;
  }

  function showRows(problems) {
    rows.querySelector("tbody").replaceChildren(...problems.map((one) => {
      const line = document.createElement("tr");
      line.append(cell("td", one.row, "Row"), cell("td", one.field, "Column"), cell("td", one.detail));
      return line;
    }));
    rows.hidden = problems.length === 0;
  }

  async function refusalOf(answer) {
    const type = answer.headers.get("content-type") || "";
    if (!type.includes("json")) return { detail: `The server answered ${answer.status}.` };
    return answer.json();
  }

  const button = form.querySelector("button");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [file] = input.files;
    const data = new FormData();
    data.append("file", file, file.name);
    showRows([]);
    say(`Checking ${file.name} …`);
    try {
      const answer = await fetch(form.action, { method: "POST", body: data });
      if (answer.ok) { location.assign(location.pathname); return; }
      const { detail, title, errors = [] } = await refusalOf(answer);
      const bad = errors.filter((one) => one.row !== undefined);
      say(bad.length ? "No row of the file was used. Correct these cells and upload it again." : detail || title, true);
      showRows(bad);
    } catch (error) {
      say(`The server cannot be reached: ${error.message}`, true);
    }
  });
  button.disabled = false; // before, the browser itself would send the file and show the bare answer
})();
