// Draws what the page's data says, when a cell is opened. No network, nothing global but uPlot.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const drawn = new Map(); // cell element -> its charts
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const number = (v) => v == null ? "–" : Math.abs(v) >= 1e6 ? +(v / 1e6).toPrecision(3) + " M"
    : Math.abs(v) >= 1e4 ? +(v / 1e3).toPrecision(3) + " k" : "" + +v.toPrecision(3);
  const micros = (v) => v == null ? "–" : v >= 1e6 ? +(v / 1e6).toPrecision(3) + " s"
    : v >= 1e3 ? +(v / 1e3).toPrecision(3) + " ms" : +v.toPrecision(3) + " us";
  const seconds = (v) => v.toFixed(3) + " s";

  // Faults and outages behind the lines; how long an outage took, above them.
  function bands(cell, flow, labelled) {
    const outages = cell.outages.filter((o) => o.flow === flow);
    const rect = (u, from, to, colour, alpha) => {
      const x0 = Math.max(u.valToPos(from, "x", true), u.bbox.left);
      const x1 = Math.min(u.valToPos(to, "x", true), u.bbox.left + u.bbox.width);
      if (x1 < u.bbox.left || x0 > u.bbox.left + u.bbox.width) return null;
      u.ctx.globalAlpha = alpha;
      u.ctx.fillStyle = colour;
      u.ctx.fillRect(x0, u.bbox.top, Math.max(x1 - x0, devicePixelRatio), u.bbox.height);
      u.ctx.globalAlpha = 1;
      return (x0 + x1) / 2;
    };
    const behind = (u) => {
      cell.faults.forEach((f) => rect(u, f.from, f.to ?? u.scales.x.max, ink("fault"), 0.22));
      outages.forEach((o) => rect(u, o.from, o.to, ink("lost"), 0.13));
    };
    const above = (u) => {
      if (!labelled) return;
      const ratio = devicePixelRatio;
      u.ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      u.ctx.textAlign = "center";
      u.ctx.fillStyle = ink("lost");
      let reached = -Infinity;
      outages.forEach((o) => {
        const x = u.valToPos((o.from + o.to) / 2, "x", true);
        const half = u.ctx.measureText(o.label).width / 2;
        if (x < u.bbox.left || x > u.bbox.left + u.bbox.width || x - half < reached + 6 * ratio) return;
        u.ctx.fillText(o.label, x, u.bbox.top - 4 * ratio);
        reached = x + half;
      });
    };
    return { hooks: { drawClear: [behind], draw: [above] } };
  }

  function hover(format) {
    const box = document.createElement("div");
    box.className = "hover";
    box.hidden = true;
    return { hooks: {
      init: (u) => u.over.appendChild(box),
      setCursor: (u) => {
        const i = u.cursor.idx;
        box.hidden = i == null || u.cursor.left < 0;
        if (box.hidden) return;
        box.textContent = format(u, i);
        const left = u.cursor.left + 14;
        box.style.left = (left + box.offsetWidth > u.over.clientWidth ? left - box.offsetWidth - 28 : left) + "px";
        box.style.top = "4px";
      },
    } };
  }

  const axis = (values, more) => ({ stroke: () => ink("soft"), grid: { stroke: () => ink("line"), width: 0.5 },
    ticks: { show: false }, font: "11px system-ui, sans-serif", values, ...more });
  const stepped = uPlot.paths.stepped({ align: 1 });

  function overTime(place, cell, flow, key, height, series, format, values, labelled) {
    const lines = series.map(([name, colour, fill]) => ({ label: name, stroke: () => ink(colour), width: fill ? 0 : name === "sent" ? 3 : 1.25,
      fill: fill ? () => ink(colour) + "55" : undefined, paths: stepped, points: { show: false }, spanGaps: false }));
    return new uPlot({
      width: place.clientWidth, height, padding: [labelled ? 18 : 6, 8, 0, 0],
      scales: { x: { time: false, range: (u, lo, hi) => [lo, hi] }, y: { range: (u, lo, hi) => [0, (hi || 1) * 1.08] } },
      cursor: { sync: { key, scales: ["x", null] }, y: false, points: { show: false }, drag: { x: true, y: false } },
      series: [{}, ...lines],
      axes: [axis((u, v) => v.map((x) => +x.toFixed(4) + " s"), { size: 26 }), axis(values, { size: 62 })],
      plugins: [bands(cell, flow.name, labelled), hover((u, i) => seconds(u.data[0][i]) + series.map(([name], k) =>
        "\n" + name + "  " + format(u.data[k + 1][i])).join(""))],
    }, [flow.t, ...series.map(([, , , column]) => flow[column])], place);
  }

  // Latency against 1 / (1 - share): each nine takes the same room.
  function curve(place, cell) {
    const flows = cell.flows.filter((f) => f.curve.length);
    if (!flows.length) { place.textContent = "no latencies were recorded"; return null; }
    const xs = [...new Set(flows.flatMap((f) => f.curve.map(([p]) => 100 / (100 - p))))].sort((a, b) => a - b);
    const columns = flows.map((f) => {
      const known = new Map(f.curve.map(([p, v]) => [100 / (100 - p), v]));
      return xs.map((x) => known.get(x) ?? null);
    });
    const colours = ["a", "b", "c", "d", "e", "f"];
    const percent = (x) => +(100 - 100 / x).toPrecision(7) + " %";
    return new uPlot({
      width: place.clientWidth, height: 210, padding: [6, 8, 0, 0],
      scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      series: [{}, ...flows.map((f, i) => ({ label: f.name, stroke: () => ink(colours[i % 6]), width: 1.5, spanGaps: true,
        points: { show: false } }))],
      axes: [axis((u, v) => v.map((x) => x && Number.isInteger(Math.log10(x)) ? percent(x) : null), { size: 26 }),
        axis((u, v) => v.map((y) => y && Number.isInteger(Math.log10(y)) ? micros(y) : null), { size: 62 })],
      plugins: [hover((u, i) => percent(u.data[0][i]) + flows.map((f, k) => "\n" + f.name + "  "
        + micros(u.data[k + 1][i])).join(""))],
    }, [xs, ...columns], place);
  }

  function draw(element) {
    if (drawn.has(element)) return;
    const cell = data.cells[+element.dataset.cell];
    const charts = [];
    const key = "cell" + element.dataset.cell;
    element.querySelectorAll("[data-rate]").forEach((place) => charts.push(overTime(place, cell, cell.flows[+place.dataset.rate],
      key, 170, [["sent", "sent", false, "sent"], ["received", "received", false, "received"], ["lost", "lost", true, "lost"]],
      (v) => number(v) + " packets/s", (u, v) => v.map(number), true)));
    element.querySelectorAll("[data-peak]").forEach((place) => charts.push(overTime(place, cell, cell.flows[+place.dataset.peak],
      key, 100, [["slowest", "peak", false, "peak_us"]], micros, (u, v) => v.map(micros), false)));
    element.querySelectorAll("[data-curve]").forEach((place) => { const c = curve(place, cell); if (c) charts.push(c); });
    drawn.set(element, charts);
  }

  const cells = [...document.querySelectorAll("details.cell")];
  cells.forEach((element) => {
    element.addEventListener("toggle", () => element.open && draw(element));
    if (element.open) draw(element);
    element.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
      const [min, max] = button.dataset.zoom.split(",").map(Number);
      (drawn.get(element) || []).forEach((chart) => chart.cursor.sync?.key && chart.setScale("x", { min, max }));
    }));
    element.querySelectorAll("input[type=search]").forEach((input) => input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      input.parentElement.querySelectorAll("tbody tr").forEach((row) => {
        row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      });
    }));
  });
  const redraw = () => drawn.forEach((charts) => charts.forEach((chart) => chart.redraw(false)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let pending;
  const fit = () => drawn.forEach((charts) => charts.forEach((chart) => chart.setSize({
    width: chart.root.parentElement.clientWidth, height: chart.height })));
  addEventListener("resize", () => { cancelAnimationFrame(pending); pending = requestAnimationFrame(fit); });
  matchMedia("print").addEventListener("change", () => { fit(); redraw(); });
  const open = () => { const e = document.getElementById(location.hash.slice(1)); if (e?.matches("details")) e.open = true; };
  addEventListener("hashchange", open);
  open();
})();
