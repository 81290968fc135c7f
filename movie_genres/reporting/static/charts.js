// Draws the charts of a page: each <canvas data-chart="ID"> by the settings of Chart.js in the script element ID. A colour is
// the name of a variable of site.css, with or without a share of it ("--series-1/.3"); all are drawn anew when light turns dark.
"use strict";
(() => {
  const style = getComputedStyle(document.documentElement), {generateLabels} = Chart.defaults.plugins.legend.labels;

  function color(name) {
    const [variable, part] = name.split("/");
    const value = style.getPropertyValue(variable).trim();
    return part ? value + Math.round(255 * part).toString(16).padStart(2, "0") : value;
  }

  // Only settings that are colours are looked up: a genre may have any name.
  function colored(value, isColor = false) {
    if (typeof value === "string") return isColor && value.startsWith("--") ? color(value) : value;
    if (Array.isArray(value)) return value.map(each => colored(each, isColor));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, colored(each, /color$/i.test(key))]));
  }

  function setDefaults() {
    Object.assign(Chart.defaults, {color: color("--muted"), borderColor: color("--line"), maintainAspectRatio: false});
    Chart.defaults.animation = false;
    Chart.defaults.font.family = style.fontFamily || getComputedStyle(document.body).fontFamily;
    Object.assign(Chart.defaults.plugins.legend.labels, {usePointStyle: true, boxHeight: 7,
      filter: (item, data) => !data.datasets[item.datasetIndex].quiet,
      generateLabels: chart => generateLabels(chart).map(item => ({...item, lineDash: chart.data.datasets[item.datasetIndex].borderDash}))});
    Object.assign(Chart.defaults.plugins.tooltip, {backgroundColor: color("--ink"), titleColor: color("--surface"),
      bodyColor: color("--surface")});
  }

  function draw(canvas) {
    Chart.getChart(canvas)?.destroy();
    new Chart(canvas, colored(JSON.parse(document.getElementById(canvas.dataset.chart).textContent)));
    canvas.dispatchEvent(new Event("drawn", {bubbles: true}));
  }

  // A chart is drawn when it comes into view: a hidden one has no size.
  const seen = new IntersectionObserver(entries => {
    for (const {isIntersecting, target} of entries) if (isIntersecting && !Chart.getChart(target)) draw(target);
  }, {rootMargin: "200px"});

  setDefaults();
  const canvases = [...document.querySelectorAll("canvas[data-chart]")];
  canvases.forEach(canvas => seen.observe(canvas));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    setDefaults();
    canvases.filter(canvas => Chart.getChart(canvas)).forEach(draw);
  });
})();
