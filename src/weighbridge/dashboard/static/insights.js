// Categories as areas, footprints as a distribution.
"use strict";

(() => {
  const tree = document.querySelector("[data-tree]");
  const columns = document.querySelector("[data-distribution]");
  if (!tree || !columns) return;
  const categories = JSON.parse(tree.dataset.tree).filter((one) => one.value > 0);
  const total = categories.reduce((sum, one) => sum + one.value, 0);
  const spoken = (formatter) => ({
    renderMode: "richText", confine: true, backgroundColor: Charts.colour("surface"), borderColor: Charts.colour("line"),
    textStyle: { color: Charts.colour("ink"), fontSize: 12 }, formatter,
  });

  Charts.draw(tree, () => ({
    tooltip: spoken((at) => `${at.name}\n${Charts.mass(at.value)}, ${(at.value / total * 100).toFixed(1)} %`),
    series: [{
      type: "treemap", data: categories, roam: false, nodeClick: false, left: 0, right: 0, top: 6, bottom: 6, breadcrumb: { show: false },
      label: { color: Charts.colour("page"), fontSize: 12, overflow: "truncate", formatter: (at) => (at.value / total < 0.03 ? "" : at.name) },
      itemStyle: { borderColor: Charts.colour("surface"), borderWidth: 1, gapWidth: 1 },
    }],
  }));

  const { labels, counts } = JSON.parse(columns.dataset.distribution);
  Charts.draw(columns, () => ({
    tooltip: spoken((at) => `${at.name} kg\n${at.value.toLocaleString("en")} ${at.value === 1 ? "product" : "products"}`),
    grid: { left: 4, right: 10, top: 14, bottom: 2, containLabel: true },
    xAxis: Charts.axis({ type: "category", data: labels, splitLine: { show: false } }),
    yAxis: Charts.axis({ type: "value", minInterval: 1, splitNumber: 4 }),
    series: [{ type: "bar", data: counts, barCategoryGap: "12%", itemStyle: { borderRadius: [3, 3, 0, 0] } }],
  }));
})();
