"use strict";
// Reads out the row of the table, and whatever lies, under the pointer or the slider; the line is drawn in every plot.
(() => {
  const rowsOf = (plot) => [...plot.querySelectorAll("tbody tr")];
  const span = (of) => [Number(of.dataset.from), Number(of.dataset.to)];
  // What lies across the plot is under a pointer only where that is near to it.
  const across = (one, y) => Math.abs(one.querySelector("line").getBoundingClientRect().top - y) < 7;
  const near = (plot, at, slack, y) =>
    [...plot.querySelectorAll("svg[data-from]")]
      .filter((one) => {
        const [from, to] = span(one);
        if (at < from - slack || at > to + slack) return false;
        return !one.matches(".promise") || across(one, y);
      })
      .map((one) => one.querySelector("title").textContent);

  function show(plot, at, y) {
    const [from, to] = span(plot);
    const along = Math.min(1, Math.max(0, (at - from) / (to - from)));
    for (const line of document.querySelectorAll(".plot .cursor")) {
      line.setAttribute("x1", `${along * 100}%`);
      line.setAttribute("x2", `${along * 100}%`);
      line.classList.add("shown");
    }
    const rows = rowsOf(plot);
    let index = rows.findLastIndex((row) => Number(row.dataset.at) <= at);
    if (index < 0) index = 0;
    const width = plot.querySelector(".drawing").clientWidth || 1;
    const told = near(plot, at, ((to - from) / width) * 5, y);
    const cells = rows[index] ? [...rows[index].cells].map((cell) => cell.textContent.trim()) : [];
    const numbers = cells.length
      ? `${cells[0]}: ${cells[2]} of ${cells[1]} good (${cells[3]}), p50 ${cells[4]}, p95 ${cells[5]}, p99 ${cells[6]}, max ${cells[7]}`
      : "";
    const readout = plot.querySelector(".readout");
    readout.replaceChildren();
    for (const text of [numbers, ...told]) {
      const line = document.createElement("span");
      line.textContent = text;
      readout.append(line);
    }
    const scrub = plot.querySelector(".scrub");
    scrub.value = String(index);
    scrub.setAttribute("aria-valuetext", [numbers, ...told].join(". "));
  }

  function hide() {
    for (const line of document.querySelectorAll(".plot .cursor")) line.classList.remove("shown");
  }

  document.addEventListener("pointermove", (event) => {
    const drawing = event.target.closest?.(".plot .drawing");
    if (!drawing) return hide();
    const plot = drawing.closest(".plot");
    const box = drawing.getBoundingClientRect();
    const [from, to] = span(plot);
    show(plot, from + ((event.clientX - box.left) / box.width) * (to - from), event.clientY);
  });
  document.addEventListener("pointerdown", (event) => {
    const drawing = event.target.closest?.(".plot .drawing");
    if (drawing) drawing.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: event.clientX, clientY: event.clientY }));
  });
  document.addEventListener("input", (event) => {
    const scrub = event.target.closest?.(".plot .scrub");
    if (!scrub) return;
    const plot = scrub.closest(".plot");
    const row = rowsOf(plot)[Number(scrub.value)];
    if (row) show(plot, Number(row.dataset.at));
  });
  document.documentElement.classList.add("scripted");
})();
