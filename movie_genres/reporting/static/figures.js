// What pages of figures can do beside charts: choose a panel, sort a table, pick a threshold.
"use strict";
(() => {
  // A choice shows one panel of its group, and hides the others.
  function choose(select) {
    for (const panel of document.querySelectorAll(`[data-panel="${select.dataset.switch}"]`))
      panel.hidden = panel.dataset.value !== select.value;
    document.dispatchEvent(new Event("chosen"));
  }

  function sortable(table) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, headings, column));
    });
  }

  // Numbers begin with the highest, texts with the first letter of the alphabet; a second click turns the order round.
  function sort(table, headings, column) {
    const numbers = headings[column].classList.contains("number"), before = headings[column].getAttribute("aria-sort");
    const descending = before ? before === "ascending" : numbers;
    headings.forEach(heading => heading.removeAttribute("aria-sort"));
    headings[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0], sign = descending ? -1 : 1;
    const text = row => row.cells[column].textContent.trim();
    const value = row => parseFloat(text(row).replaceAll(",", ""));
    body.append(...[...body.rows].sort((a, b) => {
      if (!numbers) return sign * text(a).localeCompare(text(b));
      const [one, other] = [value(a), value(b)];
      if (isNaN(one) || isNaN(other)) return isNaN(one) - isNaN(other);  // what is not defined comes last
      return sign * (one - other);
    }));
  }

  const percent = value => isFinite(value) ? `${(100 * value).toFixed(1)}\u00a0%` : "–";

  // A slider over thresholds of a genre: what each comes to, also as a point of the chart.
  function picker(box) {
    const points = JSON.parse(document.getElementById(box.dataset.points).textContent);
    const support = +box.dataset.support, films = +box.dataset.films, slider = box.querySelector("input");
    const chosen = parseFloat(box.dataset.chosen);
    const distance = ([, right]) => Math.abs(right / support - chosen);
    if (!isNaN(chosen))
      slider.value = points.reduce((best, point, place) => distance(point) < distance(points[best]) ? place : best, 0);

    function show() {
      const [threshold, right, wrong] = points[slider.value];
      const precision = right / (right + wrong), recall = right / support;
      const values = {"threshold": threshold.toFixed(3), "precision": percent(precision), "recall": percent(recall),
        "F1": percent(2 * right / (right + wrong + support)), "true positives": right, "false positives": wrong,
        "false negatives": support - right, "true negatives": films - support - wrong};
      for (const [name, value] of Object.entries(values)) box.querySelector(`[data-value="${name}"]`).textContent = value;
      slider.setAttribute("aria-valuetext", `threshold ${values.threshold}, precision ${values.precision}, recall ${values.recall}`);
      const canvas = document.querySelector('[data-chart="curve"]');
      const chart = canvas && window.Chart && Chart.getChart(canvas);
      if (!chart || !box.checkVisibility()) return;
      chart.data.datasets.at(-1).data = [{x: recall, y: precision}];
      chart.update();
    }

    slider.addEventListener("input", show);
    document.addEventListener("chosen", show);
    document.addEventListener("drawn", show);
    show();
  }

  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll("[data-points]").forEach(picker);
  for (const select of document.querySelectorAll("select[data-switch]")) {
    select.addEventListener("change", () => choose(select));
    choose(select);
  }
})();
