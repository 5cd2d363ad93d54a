// The overview follows /live: texts and bars are changed in place, so that nothing jumps and focus stays.
"use strict";

(() => {
  const hero = document.querySelector("[data-live]");
  const charts = document.querySelector("[data-minutes]");
  const log = document.querySelector("[data-log]");
  const LINES = 60;
  // toLocaleTimeString makes a format for each call, which takes longer than the rest of an update.
  const toMinute = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
  const toSecond = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  let shown = {
    sentence: hero.querySelector("[data-sentence]").dataset.template,
    doneAt: Number(hero.dataset.doneAt) || null,
    waitUntil: Number(hero.dataset.waitUntil) || null,
    situation: hero.dataset.situation,
    running: hero.dataset.running === "true",
  };

  function setText(element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  }

  function duration(seconds) {
    if (seconds <= 0) return "a moment";
    return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
  }

  function time(epoch) {
    const at = new Date(epoch * 1000);
    const clock = toMinute.format(at);
    if (at.toDateString() === new Date().toDateString()) return clock;
    return `${clock} on ${at.toLocaleDateString([], { day: "numeric", month: "short" })}`;
  }

  function writeSentence() {
    const done = shown.doneAt ? time(shown.doneAt) : "";
    const wait = shown.waitUntil ? duration(shown.waitUntil - Date.now() / 1000) : "";
    setText(hero.querySelector("[data-sentence]"), shown.sentence.replace("{done}", done).replace("{wait}", wait));
  }

  function capital(word) {
    return word.charAt(0).toUpperCase() + word.slice(1);
  }

  function showBoard(board) {
    if (board.situation !== shown.situation) {
      setText(document.querySelector("[data-announce]"), `${capital(board.situation)}. ${board.remedy}`);
    }
    if (board.running !== shown.running) document.querySelector(".flash")?.remove(); // somebody else pressed a button
    shown = board;
    hero.dataset.situation = board.situation;
    hero.dataset.running = board.running;
    hero.dataset.failed = board.texts.failed;
    setText(hero.querySelector("[data-situation-word]"), capital(board.situation));
    setText(hero.querySelector("[data-remedy]"), board.remedy);
    setText(hero.querySelector("[data-batches]"), board.batches);
    writeSentence();
    for (const element of document.querySelectorAll("[data-text]")) {
      setText(element, board.texts[element.dataset.text]);
    }
    showBar("progress", ["completed", "processing", "failed"].map((name) => board.bars[name]));
    showBar("requests", [board.bars.requests]);
    showBar("tokens", [board.bars.tokens]);
    for (const tile of document.querySelectorAll("[data-limit]")) {
      tile.classList.toggle("is-limiting", board.limiting !== "" && tile.dataset.limit.startsWith(board.limiting));
    }
    showWorkers(board.workers);
  }

  function showBar(name, shares) {
    let x = 0;
    const parts = document.querySelectorAll(`[data-bar="${name}"] [data-part]`);
    shares.forEach((share, index) => {
      parts[index].setAttribute("x", (x * 1000).toFixed(2));
      parts[index].setAttribute("width", (share * 1000).toFixed(2));
      x += share;
    });
  }

  function cell(text, kind) {
    const element = document.createElement("td");
    if (kind) element.className = kind;
    element.textContent = text;
    return element;
  }

  function showWorkers(workers) {
    const body = document.querySelector("[data-workers]");
    const rows = workers.map((worker) => {
      const row = document.createElement("tr");
      const id = cell("", "muted");
      const code = document.createElement("code");
      code.textContent = worker.id;
      id.append(code, worker.leaving ? " leaving" : "");
      row.append(cell(worker.name), id, cell(worker.version), cell(String(worker.calls), "num"));
      return row;
    });
    if (rows.length === 0) {
      const row = document.createElement("tr");
      const only = cell("No worker is running. Start one: weighbridge worker", "muted");
      only.colSpan = 4;
      row.append(only);
      rows.push(row);
    }
    body.replaceChildren(...rows);
  }

  function showLines({ all, lines }) {
    if (lines.length === 0) return;
    if (all) log.replaceChildren();
    log.querySelector("[data-placeholder]")?.remove();
    for (const line of lines) {
      const item = document.createElement("li");
      item.dataset.level = line.level;
      const at = document.createElement("time");
      at.dateTime = line.at;
      at.textContent = toSecond.format(new Date(line.at));
      const said = document.createElement("span");
      said.textContent = line.message;
      item.append(at, said);
      log.prepend(item);
    }
    while (log.children.length > LINES) log.lastElementChild.remove();
  }

  // The minute that is not over yet would look like a fall: lines end with the last whole one.
  function whole(values) {
    return values.slice(0, -1);
  }

  // A value without neighbours is no line: it is shown as a point.
  function pointSize(values) {
    return (value, { dataIndex: at }) => ((values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null ? 5 : 0);
  }

  function isEmpty(series) {
    return series.every((one) => one.data.every((value) => !value));
  }

  function option(labels, series, format, underWay) {
    return () => ({
      title: {
        show: isEmpty(series()), text: underWay ? "Drawn once the first minute is over" : "Nothing in the last hour", left: "center", top: "middle",
        textStyle: { color: Charts.colour("muted"), fontSize: 13, fontWeight: 400 },
      },
      grid: { left: 4, right: 28, top: 14, bottom: 2, containLabel: true },
      xAxis: Charts.axis({ type: "category", data: labels, boundaryGap: false, splitLine: { show: false } }),
      yAxis: Charts.axis({ type: "value", min: 0, max: (seen) => (seen.max > 0 ? null : 3), splitNumber: 3, axisLabel: { show: !isEmpty(series()), color: Charts.colour("muted"), fontSize: 11, formatter: format } }),
      series: series().map((one) => Object.assign({ type: "line", showSymbol: true, showAllSymbol: true, symbolSize: pointSize(one.data), lineStyle: { width: 2 } }, one)),
    });
  }

  function limitLine(value) {
    const colour = Charts.colour("line-strong");
    return {
      silent: true, symbol: "none", lineStyle: { color: colour, type: "dashed" },
      label: { formatter: "limit", position: "insideEndTop", color: colour, fontSize: 11 },
      data: [{ yAxis: value }],
    };
  }

  function filled(data, name) {
    return { name, data, areaStyle: { opacity: 0.12 } };
  }

  function showMinutes(minutes) {
    const plot = (name) => charts.querySelector(`[data-chart="${name}"]`);
    const number = (value) => Charts.compact.format(value);
    const withLimit = (name, values, label) => {
      const limit = Number(plot(name).dataset.limitValue);
      const near = Math.max(...values) > limit / 4;
      return () => [Object.assign(filled(values, label), near ? { markLine: limitLine(limit) } : {})];
    };
    const begun = (name) => Boolean(minutes[name].at(-1));
    const labels = whole(minutes.at).map((at) => toMinute.format(new Date(at * 1000)));
    const perHour = whole(minutes.products).map((count) => count * 60);
    Charts.draw(plot("products"), option(labels, () => [filled(perHour, "Products an hour")], number, begun("products")));
    Charts.draw(plot("requests"), option(labels, withLimit("requests", whole(minutes.requests), "Requests"), number, begun("requests")));
    Charts.draw(plot("tokens"), option(labels, withLimit("tokens", whole(minutes.tokens), "Tokens"), number, begun("tokens")));
    Charts.draw(plot("latency"), option(labels, () => [
      { name: "Median", data: whole(minutes.p50) }, { name: "95th percentile", data: whole(minutes.p95), lineStyle: { type: "dashed", width: 2 } },
    ], (value) => `${value} s`, begun("p50")));
    Charts.draw(plot("cost"), option(labels, () => [filled(whole(minutes.cost), "US dollars")], (value) => `$${number(value)}`, begun("cost")));
  }

  async function reconnect() {
    const answer = await fetch("/api/products/queue-status").catch(() => null);
    if (answer && answer.status === 401) logInAgain(); else listen();
  }

  function listen() {
    const source = new EventSource("/live");
    const lost = document.querySelector("[data-reconnecting]");
    source.addEventListener("open", () => { lost.hidden = true; });
    source.addEventListener("error", () => {
      lost.hidden = false;
      // A refused reconnection ends an EventSource for good: the server may be starting, or the session over.
      if (source.readyState === EventSource.CLOSED) setTimeout(reconnect, 3000);
    });
    source.addEventListener("board", (event) => showBoard(JSON.parse(event.data)));
    source.addEventListener("minutes", (event) => showMinutes(JSON.parse(event.data)));
    source.addEventListener("log", (event) => showLines(JSON.parse(event.data)));
    addEventListener("pagehide", () => source.close(), { once: true });
    // The machine has another network, or has slept: what was open may hang for minutes.
    const again = () => { source.close(); lost.hidden = false; listen(); };
    setTimeout(() => { if (source.readyState === EventSource.CONNECTING) again(); }, 10000);
    addEventListener("online", again, { once: true });
    addEventListener("weighbridge:reconnect", again, { once: true });
  }

  hero.dataset.failed = hero.querySelector('[data-text="failed"]').textContent;
  writeSentence();
  setInterval(() => { if (shown.waitUntil) writeSentence(); }, 1000);
  if (charts.dataset.minutes) showMinutes(JSON.parse(charts.dataset.minutes)); // else it takes long: /live sends it
  listen();
})();
