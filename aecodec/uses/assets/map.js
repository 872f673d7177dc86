"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const plot = document.getElementById("plot"), pen = plot.getContext("2d");
const count = data.names.length, perRow = 40;
const palette = ["#0969da", "#d1242f", "#1a7f37", "#bf8700", "#8250df", "#bc4c00", "#0a9396", "#bf3989", "#6e7781", "#7d4e00"];
let view = { scale: 1, left: 0, top: 0 }, shades = [], chosen = -1, matches = null, queued = false;
const sheets = { originals: [], restored: [] };
for (const kind of Object.keys(sheets)) {
  sheets[kind] = data[kind].map((text) => {
    const image = new Image();
    image.onload = () => { if (kind === "originals") redraw(); show(chosen); };
    image.src = "data:image/webp;base64," + text;
    return image;
  });
}
const maps = new Image();
maps.onload = () => show(chosen);
if (data.maps) maps.src = "data:image/png;base64," + data.maps;
else document.getElementById("maps").parentElement.hidden = true;
const lowered = data.names.map((name) => name.toLowerCase());

let order = data.names.map((_, i) => i); // by shade, for changing the pen's colour takes longer than drawing a point
const margin = 20;

function placing() {
  const w = plot.clientWidth - 2 * margin, h = plot.clientHeight - 2 * margin;
  return (i) => [margin + (data.x[i] * view.scale - view.left) * w, margin + (data.y[i] * view.scale - view.top) * h];
}
function redraw() {
  if (!queued) { queued = true; requestAnimationFrame(draw); }
}
function draw() {
  queued = false;
  const ratio = window.devicePixelRatio || 1, w = plot.clientWidth, h = plot.clientHeight;
  if (plot.width !== Math.round(w * ratio) || plot.height !== Math.round(h * ratio)) {
    plot.width = Math.round(w * ratio);
    plot.height = Math.round(h * ratio);
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, w, h);
  const visible = [], place = placing();
  for (const i of order) {
    const [x, y] = place(i);
    if (x > -40 && y > -40 && x < w + 40 && y < h + 40) visible.push([i, x, y]);
  }
  const size = visible.length < 400 ? Math.min(data.side, Math.max(14, Math.sqrt((w * h) / (visible.length + 1)) / 2)) : 0;
  let shade = "";
  for (const [i, x, y] of visible) {
    if (matches) pen.globalAlpha = matches.has(i) ? 1 : 0.12;
    if (shades[i] !== shade) pen.fillStyle = shade = shades[i];
    if (size) {
      pen.fillRect(x - size / 2 - 2, y - size / 2 - 2, size + 4, size + 4);
      thumbnail(pen, "originals", i, x - size / 2, y - size / 2, size);
    } else {
      pen.fillRect(x - 2, y - 2, 4, 4);
    }
  }
  pen.globalAlpha = 1;
  if (chosen >= 0) {
    const [x, y] = place(chosen);
    pen.strokeStyle = getComputedStyle(document.body).color;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, 8 + size / 2, 0, 7);
    pen.stroke();
  }
}
function thumbnail(on, kind, i, x, y, size) {
  const image = sheets[kind][Math.floor(i / data.perSheet)], k = i % data.perSheet;
  if (!image || !image.complete) return;
  on.drawImage(image, (k % perRow) * data.side, Math.floor(k / perRow) * data.side, data.side, data.side, x, y, size, size);
}
function show(i) {
  chosen = i;
  if (i < 0) return;
  for (const [id, kind] of [["original", "originals"], ["restored", "restored"]]) {
    const canvas = document.getElementById(id);
    canvas.width = canvas.height = data.side;
    thumbnail(canvas.getContext("2d"), kind, i, 0, 0, data.side);
  }
  if (data.maps && maps.complete) {
    const canvas = document.getElementById("maps");
    [canvas.width, canvas.height] = [data.mapWidth, data.mapSide];
    canvas.getContext("2d").drawImage(maps, 0, -i * data.mapSide);
  }
  const facts = document.getElementById("facts");
  facts.replaceChildren();
  const rows = [["file", data.names[i]]];
  for (const group of [data.numbers, data.words]) for (const key of Object.keys(group)) rows.push([key, group[key][i]]);
  for (const [key, value] of rows) {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = key;
    dd.textContent = value;
    facts.append(dt, dd);
  }
  redraw();
}
function nearest(event) {
  const box = plot.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top, place = placing();
  let best = -1, least = 30 ** 2;
  for (let i = 0; i < count; i++) {
    const [x, y] = place(i), d = (x - px) ** 2 + (y - py) ** 2;
    if (d < least) [best, least] = [i, d];
  }
  return best;
}
function colour(name) {
  const legend = document.getElementById("legend"), words = data.words[name], numbers = data.numbers[name];
  legend.replaceChildren();
  if (words) {
    const kinds = [...new Set(words)].sort();
    shades = words.map((word) => (word === "" ? "#8888" : palette[kinds.indexOf(word) % palette.length]));
    for (const kind of kinds.slice(0, 20)) {
      const entry = document.createElement("span"), dot = document.createElement("i");
      dot.style.background = kind === "" ? "#888" : palette[kinds.indexOf(kind) % palette.length];
      entry.append(dot, kind || "none");
      legend.append(entry);
    }
  } else {
    const sorted = [...numbers].sort((a, b) => a - b), low = sorted[Math.floor(count * 0.02)], high = sorted[Math.floor((count - 1) * 0.98)];
    const part = (v) => Math.min(1, Math.max(0, (v - low) / (high - low || 1)));
    shades = numbers.map((v) => `hsl(${240 - 8 * Math.round(30 * part(v))} 75% 50%)`);
    legend.textContent = `blue ${low} to red ${high}`;
  }
  order.sort((a, b) => (shades[a] < shades[b] ? -1 : shades[a] > shades[b] ? 1 : 0));
  redraw();
}
const chooser = document.getElementById("colour");
for (const name of [...Object.keys(data.words), ...Object.keys(data.numbers)]) chooser.add(new Option(name, name));
chooser.onchange = () => colour(chooser.value);
colour(chooser.value);
document.getElementById("find").oninput = (event) => {
  const text = event.target.value.trim().toLowerCase();
  matches = text ? new Set(lowered.flatMap((name, i) => (name.includes(text) ? [i] : []))) : null;
  document.getElementById("found").textContent = matches ? `${matches.size} found` : "";
  if (matches && matches.size) show([...matches][0]);
  redraw();
};
let drag = null;
plot.onpointerdown = (event) => { drag = [event.clientX, event.clientY]; plot.setPointerCapture(event.pointerId); };
plot.onpointerup = (event) => { drag = null; show(nearest(event)); };
plot.onpointermove = (event) => {
  if (!drag) { const i = nearest(event); if (i >= 0) show(i); return; }
  view.left -= (event.clientX - drag[0]) / (plot.clientWidth - 40);
  view.top -= (event.clientY - drag[1]) / (plot.clientHeight - 40);
  drag = [event.clientX, event.clientY];
  redraw();
};
plot.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = plot.getBoundingClientRect(), factor = Math.exp(-event.deltaY / 400);
  const scale = Math.min(200, Math.max(0.8, view.scale * factor)), by = scale / view.scale;
  const x = (event.clientX - box.left - 20) / (plot.clientWidth - 40), y = (event.clientY - box.top - 20) / (plot.clientHeight - 40);
  view = { scale, left: (view.left + x) * by - x, top: (view.top + y) * by - y };
  redraw();
}, { passive: false });
window.onresize = redraw;
function bars(id, values, line) {
  const svg = document.getElementById(id), most = Math.max(...values, ...(line || [0])) || 1, width = 410 / values.length;
  const make = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key of Object.keys(attributes)) node.setAttribute(key, attributes[key]);
    svg.append(node);
  };
  values.forEach((v, i) => make("rect", { x: i * width, y: 100 - (95 * v) / most, width: width * 0.9, height: (95 * v) / most, fill: "#0969da" }));
  if (line) make("polyline", { points: line.map((v, i) => `${(i + 0.5) * width},${100 - (95 * v) / most}`).join(" "), fill: "none", stroke: "#d1242f", "stroke-width": 2 });
}
const bins = data.histogram.length, total = data.histogram.reduce((a, b) => a + b, 0), step = 10 / bins;
bars("histogram", data.histogram, data.histogram.map((_, i) => (total * step * Math.exp(-(((i + 0.5) * step - 5) ** 2) / 2)) / Math.sqrt(2 * Math.PI)));
bars("channels", data.channels);
