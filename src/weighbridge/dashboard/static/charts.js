// ECharts under a strict policy: canvas, tooltips drawn in the canvas (no inline styles), colours from the style sheet.
"use strict";

const Charts = (() => {
  const drawn = new Map(); // element → how to draw it again

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  function palette() {
    return [1, 2, 3, 4, 5, 6].map((number) => colour(`series-${number}`));
  }

  function base() {
    return {
      animation: false,
      color: palette(),
      textStyle: { fontFamily: "system-ui, sans-serif", color: colour("muted") },
      tooltip: {
        renderMode: "richText", trigger: "axis", confine: true, backgroundColor: colour("surface"),
        borderColor: colour("line"), textStyle: { color: colour("ink"), fontSize: 12 },
      },
    };
  }

  function axis(more) {
    return Object.assign({
      axisLine: { lineStyle: { color: colour("line") } }, axisTick: { show: false },
      axisLabel: { color: colour("muted"), fontSize: 11, hideOverlap: true },
      splitLine: { lineStyle: { color: colour("line"), opacity: 0.6 } },
    }, more);
  }

  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

  // Masses of CO2e, as everywhere: two significant digits.
  const two = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
  const mass = (kilograms) => {
    const size = Math.abs(kilograms);
    if (size >= 1e6) return `${two.format(kilograms / 1e6)} kt CO2e`;
    if (size >= 1e3) return `${two.format(kilograms / 1e3)} t CO2e`;
    if (size >= 0.1 || size === 0) return `${two.format(kilograms)} kg CO2e`;
    return `${two.format(kilograms * 1e3)} g CO2e`;
  };

  const idle = window.requestIdleCallback || ((act) => setTimeout(act, 16));
  const waiting = new Set(); // elements whose newest option is not drawn yet
  const library = document.currentScript.dataset.library;
  let isLoading = false;
  let isCompiled = false;

  // ECharts is by far the largest file of a page: it comes when the first chart is in view and the page is painted.
  function loadLibrary() {
    if (isLoading) return;
    isLoading = true;
    const script = document.createElement("script");
    script.src = library;
    script.addEventListener("load", () => idle(drawNext, { timeout: 500 }));
    // The next look at a chart tries again.
    script.addEventListener("error", () => { isLoading = false; waiting.clear(); script.remove(); });
    document.head.append(script);
  }

  // Charts are made when they come into view, and drawn one at a time: together they would hold up the page.
  const inView = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      drawn.get(target).isVisible = isIntersecting;
      if (isIntersecting) drawSoon(target);
    }
  }, { rootMargin: "100px" });

  function drawSoon(element) {
    if (waiting.size === 0) idle(drawNext, { timeout: 500 });
    waiting.add(element);
  }

  function drawNext() {
    if (!window.echarts) {
      loadLibrary();
      return;
    }
    const [element] = waiting;
    waiting.delete(element);
    if (waiting.size > 0) idle(drawNext, { timeout: 500 });
    const entry = drawn.get(element);
    if (!entry.isStale || !entry.isVisible) return;
    if (!entry.chart) entry.chart = makeChart(element);
    const option = Object.assign(base(), entry.makeOption());
    // Most of ECharts is compiled when the first chart is drawn: its axes come first, and then its series.
    const isFirst = !isCompiled;
    isCompiled = true;
    if (isFirst) {
      delete option.series;
      drawSoon(element);
    }
    entry.isStale = isFirst;
    entry.chart.setOption(option, { replaceMerge: ["series"], lazyUpdate: true });
  }

  function makeChart(element) {
    const chart = echarts.init(element, null, { renderer: "canvas" });
    // An observer reports once when it begins: drawing the chart a second time would be for nothing.
    new ResizeObserver(() => {
      if (chart.getWidth() !== element.clientWidth || chart.getHeight() !== element.clientHeight) chart.resize();
    }).observe(element);
    return chart;
  }

  function draw(element, makeOption) {
    const isNew = !drawn.has(element);
    const entry = drawn.get(element) || { chart: null, isVisible: false };
    Object.assign(entry, { makeOption, isStale: true });
    drawn.set(element, entry);
    if (isNew) inView.observe(element);
    else if (entry.isVisible) drawSoon(element);
  }

  document.addEventListener("weighbridge:theme", () => {
    for (const [element, entry] of drawn) draw(element, entry.makeOption);
  });

  return { draw, axis, colour, compact, mass, palette };
})();
