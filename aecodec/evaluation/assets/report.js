"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);

  // Plots: one figure for each combination of metric, axis and published points.
  const chosen = (name) => (document.querySelector(`#plots input[name=${name}]:checked`) || {}).value;
  const showPlot = () => {
    const published = chosen("published") || "no";
    const wanted = `${chosen("metric")}-${chosen("axis")}-${published}`;
    const plots = [...document.querySelectorAll("[data-plot]")];
    const found = plots.find((plot) => plot.dataset.plot === wanted) || plots[0];
    plots.forEach((plot) => { plot.hidden = plot !== found; });
    document.querySelectorAll(".published-curve").forEach((each) => { each.hidden = published === "no"; });
  };

  // The metric is chosen for the whole page, by the plot's buttons or by any list.
  const showMetric = (metric) => {
    document.querySelectorAll("#plots input[name=metric]").forEach((each) => { each.checked = each.value === metric; });
    document.querySelectorAll("select.metric").forEach((each) => { each.value = metric; });
    document.querySelectorAll("[data-metric]").forEach((each) => { each.hidden = each.dataset.metric !== metric; });
    showPlot();
  };
  document.querySelectorAll("#plots input").forEach((input) =>
    input.addEventListener("change", input.name === "metric" ? () => showMetric(input.value) : showPlot));
  document.querySelectorAll("select.metric").forEach((select) =>
    select.addEventListener("change", () => showMetric(select.value)));
  if (byId("plots")) showMetric(chosen("metric"));  // browsers keep what was chosen before a reload
  document.querySelectorAll(".plot").forEach((plot) =>
    plot.addEventListener("click", () => plot.classList.toggle("large")));

  // Crops: two codecs, one over the other.
  const show = (side, select) => {
    const example = data.examples[Number(byId("example").value)];
    const crop = example.crops.find((each) => each.codec === select.value);
    const image = byId(side);
    image.src = `data:image/webp;base64,${crop ? crop.webp : example.original}`;
    image.alt = `${example.image}, ${select.value}`;
    const psnr = !crop || crop.psnr === null ? "exact" : `${crop.psnr.toFixed(2)} dB`;
    const seen = !crop || crop.ssimulacra2 === null ? "" : `SSIMULACRA2 ${crop.ssimulacra2.toFixed(1)}, `;
    byId(`${side}-caption`).textContent = crop
      ? `${crop.codec}: ${crop.bytes.toLocaleString("en")} bytes, ${seen}${psnr} (quality ${crop.quality})`
      : "original";
    byId("why").textContent = `${example.image}: ${example.why}.`;
  };
  if (byId("slider")) {
    const update = () => { show("first", byId("left")); show("second", byId("right")); };
    ["example", "left", "right"].forEach((id) => byId(id).addEventListener("change", update));
    update();
  }

  // Tables: a click on a heading sorts, another one reverses.
  const key = (cell) => {
    const number = Number(cell.dataset.sort ?? cell.textContent);
    return Number.isNaN(number) ? cell.textContent : number;
  };
  document.querySelectorAll(".sortable").forEach((table) => {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => heading.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const [x, y] = [key(a.cells[column]), key(b.cells[column])];
        const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows);
    }));
  });
})();
