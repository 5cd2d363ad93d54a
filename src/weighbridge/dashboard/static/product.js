// The footprint as areas, and a picture that somebody adds.
"use strict";

function drawTree() {
  const element = document.querySelector("[data-tree]");
  if (!element) return;
  const groups = JSON.parse(element.dataset.tree);
  const total = groups.reduce((sum, group) => sum + group.value, 0);
  const share = (value) => `${(value / total * 100).toFixed(value / total < 0.1 ? 1 : 0)} %`;
  // What has no room for its name has none: the tooltip says it.
  const told = (at) => {
    if (at.value / total < 0.025) return "";
    return at.value / total < 0.06 ? share(at.value) : `${share(at.value)}  ${at.name}`;
  };
  const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

  Charts.draw(element, () => ({
    tooltip: {
      renderMode: "richText", confine: true, backgroundColor: Charts.colour("surface"), borderColor: Charts.colour("line"),
      textStyle: { color: Charts.colour("ink"), fontSize: 12 },
      formatter: (at) => `${capital(at.name)}\n${Charts.mass(at.value)}, ${share(at.value)}`,
    },
    series: [{
      type: "treemap", data: groups, roam: false, nodeClick: false, left: 0, right: 0, top: 4, bottom: 4,
      breadcrumb: { show: false },
      // One line: where a second one has no room, it would be drawn over the first.
      label: { color: Charts.colour("page"), fontSize: 12, overflow: "truncate", formatter: told },
      upperLabel: { show: true, height: 22, color: Charts.colour("ink"), fontSize: 12, fontWeight: 600, formatter: (at) => (at.value / total < 0.12 ? "" : `${capital(at.name)}  ${share(at.value)}`) },
      itemStyle: { borderColor: Charts.colour("surface"), borderWidth: 1, gapWidth: 1 },
      levels: [
        { itemStyle: { borderWidth: 0, gapWidth: 4 }, upperLabel: { show: false } },
        { itemStyle: { borderColor: Charts.colour("sunken"), borderWidth: 2, gapWidth: 1 }, colorSaturation: null },
        { colorAlpha: [0.75, 1] },
      ],
    }],
  }));
}
drawTree();
// A correction swaps the page's content.
document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "main") drawTree(); });

// The API takes the picture. Until this script is there the button is disabled: the browser itself
// would send the file and show the bare answer.
function readyPicture() {
  for (const button of document.querySelectorAll("[data-picture] button")) button.disabled = false;
}
readyPicture();
document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "main") readyPicture(); });

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-picture]");
  if (!form) return;
  event.preventDefault();
  const state = form.querySelector("[data-state]");
  const say = (text, isBad) => {
    state.textContent = text;
    state.className = isBad ? "upload-state banner bad" : "upload-state";
    state.setAttribute("role", isBad ? "alert" : "status");
  };
  const body = new FormData(form);
  const button = form.querySelector("button");
  button.disabled = true;
  say("Storing the picture …", false);
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    if (answer.ok) { location.reload(); return; }
    const isJson = (answer.headers.get("content-type") || "").includes("json");
    const { detail, title } = isJson ? await answer.json() : {};
    if (answer.status === 401) say("Your session has ended. Log in again in another tab (/login), then press the button once more.", true);
    else say(detail || title || `The server answered ${answer.status}.`, true);
  } catch (error) {
    say(`The server cannot be reached: ${error.message}`, true);
  }
  button.disabled = false;
});
