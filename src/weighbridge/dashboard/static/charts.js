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

  function draw(element, makeOption) {
    if (!window.echarts) return;
    let entry = drawn.get(element);
    if (!entry) {
      entry = { chart: echarts.init(element, null, { renderer: "canvas" }) };
      drawn.set(element, entry);
      new ResizeObserver(() => entry.chart.resize()).observe(element);
    }
    entry.makeOption = makeOption;
    entry.chart.setOption(Object.assign(base(), makeOption()), { notMerge: true, lazyUpdate: true });
    return entry.chart;
  }

  document.addEventListener("weighbridge:theme", () => {
    for (const [element, entry] of drawn) draw(element, entry.makeOption);
  });

  return { draw, axis, colour, compact, palette };
})();
