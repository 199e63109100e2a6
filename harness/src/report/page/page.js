// Draws the charts, and lets a reader find a way through them. What it shows comes as data; texts go in as text.
"use strict";
(() => {
  const MINUTE_MS = 60000;
  const HEIGHT = 240;
  // A look from a verdict into a chart shows so much of the soak around the moment.
  const CLOSER = 0.08;
  const TRIES_AGAIN_AFTER_MS = 2000;

  let data = JSON.parse(document.getElementById("data").textContent);
  const drawn = new Map();
  let marked = null;
  let range = null;

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const line = (n) => css(`--line-${n % 5}`);
  const moment = (minutes) => {
    // To the millisecond first: a third of a minute is a hair under its twenty seconds.
    const seconds = Math.floor(Math.round(minutes * MINUTE_MS) / 1000);
    const two = (n) => String(n).padStart(2, "0");
    return `T+${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
  };
  const number = (value) => (value == null ? "–" : Number(value.toPrecision(4)).toLocaleString("en"));
  const make = (tag, text) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // What a chart's steps are at, scenario minutes.
  const steps = (chart) => {
    const length = chart.lines.reduce((most, one) => Math.max(most, one.values.length), 0);
    return Array.from({ length }, (_, n) => (n * chart.stepMs) / MINUTE_MS);
  };
  // The end of what is shown. What comes after the plan's end, while streams bring what they owe, is little.
  const whole = () => Math.max(data.duration, Math.min(data.reached, data.duration * 1.03));
  const columns = (chart) => [steps(chart), ...chart.lines.map((one) => one.values)];

  // Beneath the lines: chaos windows, holes, and how many samples took how long.
  const beneath = (id) => (u) => {
    const chart = drawn.get(id).chart;
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    const at = (minutes) => u.valToPos(minutes, "x", true);
    const shade = (from, to, colour) => {
      ctx.fillStyle = colour;
      ctx.fillRect(at(from), top, Math.max(at(to) - at(from), 2), height);
    };
    data.windows.forEach(([from, to]) => shade(from, to, css("--window")));
    data.holes.forEach(([from, to]) => shade(from, to, css("--hole")));
    if (chart.heat) {
      const most = chart.heat.cells.reduce((most, [, , n]) => Math.max(most, n), 1);
      ctx.fillStyle = css("--heat");
      for (const [step, bucket, n] of chart.heat.cells) {
        const [x, right] = [at((step * chart.stepMs) / MINUTE_MS), at(((step + 1) * chart.stepMs) / MINUTE_MS)];
        const bottom = u.valToPos(chart.heat.edges[bucket], "y", true);
        const y = u.valToPos(chart.heat.edges[bucket + 1], "y", true);
        ctx.globalAlpha = 0.15 + 0.55 * (Math.log1p(n) / Math.log1p(most));
        ctx.fillRect(x, y, Math.max(right - x, 1), Math.max(bottom - y, 1));
      }
      ctx.globalAlpha = 1;
    }
    ctx.restore();
  };

  // Above the lines: targets, what growth is told by, heartbeats, and the moment that was asked for.
  const above = (id) => (u) => {
    const chart = drawn.get(id).chart;
    const { ctx } = u;
    const { left, top, width, height } = u.bbox;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.lineWidth = 1.5 * ratio;
    // A label stands above its line, and below it where another is in the way.
    let free = top;
    const targets = chart.targets.map(([name, value]) => [name, value, u.valToPos(value, "y", true)]);
    targets.sort((a, b) => a[2] - b[2]).forEach(([name, value, y]) => {
      ctx.strokeStyle = ctx.fillStyle = css("--target");
      ctx.setLineDash([6 * ratio, 4 * ratio]);
      stroke(ctx, [[left, y], [left + width, y]]);
      const isAbove = y - 14 * ratio >= free;
      free = isAbove ? y : y + 14 * ratio;
      ctx.textBaseline = isAbove ? "bottom" : "top";
      ctx.textAlign = "right";
      ctx.fillText(`target ${name} ${number(value)} ${chart.unit}`, left + width - 4 * ratio, y);
    });
    ctx.setLineDash([]);
    const place = ([x, y]) => [u.valToPos(x, "x", true), u.valToPos(y, "y", true)];
    chart.traces.forEach((trace) => {
      ctx.strokeStyle = ctx.fillStyle = css("--trace");
      if (trace.joined) {
        ctx.lineWidth = 1.5 * ratio;
        stroke(ctx, trace.points.map(place));
      } else {
        trace.points.map(place).forEach(([x, y]) => ctx.fillRect(x - 1.5 * ratio, y - 1.5 * ratio, 3 * ratio, 3 * ratio));
      }
    });
    ctx.fillStyle = css("--beat");
    data.heartbeats.forEach((beat) => {
      ctx.fillRect(u.valToPos(beat, "x", true) - ratio / 2, top + height - 6 * ratio, ratio, 6 * ratio);
    });
    if (marked !== null) {
      ctx.strokeStyle = css("--mark");
      ctx.lineWidth = 2 * ratio;
      const x = u.valToPos(marked, "x", true);
      stroke(ctx, [[x, top], [x, top + height]]);
    }
    ctx.restore();
  };
  const stroke = (ctx, points) => {
    ctx.beginPath();
    points.forEach(([x, y], n) => (n === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y)));
    ctx.stroke();
  };

  const lowest = (chart) => {
    const values = chart.lines.flatMap((one) => one.values.filter((value) => value > 0));
    return values.length ? Math.min(...values) : 1;
  };
  const yRange = (chart) => (_, least, most) => {
    const limits = chart.targets.map(([, value]) => value).concat(least ?? 0, most ?? 1);
    const [low, high] = [Math.min(...limits), Math.max(...limits)];
    if (chart.isLog) return uPlot.rangeLog(Math.max(low, lowest(chart)), Math.max(high, 1), 10, false);
    const all = chart.traces.flatMap((trace) => trace.points.map(([, y]) => y)).concat(low, high);
    const [bottom, top] = [Math.min(...all), Math.max(...all)];
    return bottom === top ? [bottom === 0 ? 0 : bottom * 0.95, top === 0 ? 1 : top * 1.05] : uPlot.rangeNum(bottom, top, 0.08, true);
  };

  // For the longest label of an axis, its tick and the gap between them; the same in all charts where it may be, so that
  // moments stand above each other.
  const room = (labels) => 20 + 7 * Math.max("10,000 ms".length, ...(labels ?? []).map((label) => label.length));

  const options = (chart, width) => ({
    width,
    height: HEIGHT,
    cursor: { sync: { key: "s2" }, drag: { x: true, y: false } },
    scales: {
      x: { time: false, range: () => range ?? [0, whole()] },
      y: { distr: chart.isLog ? 3 : 1, range: yRange(chart) },
    },
    series: [
      { label: "at", value: (_, x) => (x == null ? "–" : moment(x)) },
      ...chart.lines.map((one, n) => ({
        label: one.name,
        stroke: line(n),
        width: 1.5,
        spanGaps: chart.isLog,
        // The slowest of a step stands for itself: a line between two of them would be made up.
        paths: one.name === "slowest" ? () => null : undefined,
        points: { show: one.name === "slowest" || one.values.length < 30, size: 4, fill: line(n) },
        value: (_, y) => (y == null ? "–" : `${number(y)} ${chart.unit}`),
      })),
    ],
    axes: [
      { stroke: css("--ink"), grid: { stroke: css("--grid") }, ticks: { stroke: css("--grid") }, values: (_, all) => all.map((x) => `${number(x)}m`) },
      {
        stroke: css("--ink"),
        grid: { stroke: css("--grid") },
        ticks: { stroke: css("--grid") },
        size: (_, labels) => room(labels),
        values: (_, all) => all.map((y) => (y == null ? "" : `${number(y)}${chart.unit ? ` ${chart.unit}` : ""}`)),
      },
    ],
    hooks: {
      drawClear: [beneath(chart.id)],
      draw: [above(chart.id)],
      setSelect: [(u) => u.select.width > 4 && look([u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")])],
    },
  });

  // The same part of the soak in all charts.
  const look = (part) => {
    range = part;
    document.getElementById("whole").hidden = part === null;
    for (const { u } of drawn.values()) {
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      u.setData(u.data);
    }
  };

  const figureOf = (chart) => {
    const known = document.getElementById(`chart-${chart.id}`);
    if (known?.matches("figure")) return known;
    // Until now nothing was measured of it.
    known?.remove();
    const figure = make("figure");
    figure.id = `chart-${chart.id}`;
    const caption = figure.appendChild(make("figcaption"));
    caption.append(make("h3", chart.title), Object.assign(make("p"), { className: "says" }));
    const plot = figure.appendChild(make("div"));
    plot.className = "plot";
    plot.tabIndex = 0;
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", chart.title);
    const details = figure.appendChild(make("details"));
    details.append(make("summary", "The numbers"), Object.assign(make("div"), { className: "wide numbers" }));
    document.getElementById("charts").append(figure);
    return figure;
  };

  const draw = (chart) => {
    const figure = figureOf(chart);
    const place = figure.querySelector(".plot");
    drawn.get(chart.id)?.u.destroy();
    const entry = { chart, figure, u: null };
    drawn.set(chart.id, entry);
    entry.u = new uPlot(options(chart, place.clientWidth || 320), columns(chart), place);
    entry.u.over.addEventListener("dblclick", () => look(null));
    if (!figure.dataset.heard) hear(figure, place, chart.id);
  };

  // Once for each figure: keys along a chart, and its numbers when they are asked for.
  const hear = (figure, place, id) => {
    figure.dataset.heard = "yes";
    place.addEventListener("keydown", (event) => {
      const { u } = drawn.get(id);
      const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") look(null);
      if (!way) return;
      event.preventDefault();
      const last = u.data[0].length - 1;
      const next = Math.min(Math.max((u.cursor.idx ?? (way > 0 ? -1 : last + 1)) + way, 0), last);
      u.setCursor({ left: u.valToPos(u.data[0][next], "x"), top: 10 });
    });
    figure.querySelector("details").addEventListener("toggle", () => tell(id));
  };

  const tell = (id) => {
    const { chart, figure } = drawn.get(id);
    const details = figure.querySelector("details");
    if (!details.open) return;
    const table = make("table");
    table.append(make("caption", chart.title));
    const head = table.createTHead().insertRow();
    ["at", ...chart.lines.map((one) => one.name + (chart.unit ? `, ${chart.unit}` : ""))].forEach((name) => {
      const cell = head.appendChild(make("th", name));
      cell.scope = "col";
    });
    const body = table.createTBody();
    steps(chart).forEach((minutes, n) => {
      const row = body.insertRow();
      row.append(Object.assign(make("th", moment(minutes)), { scope: "row" }));
      chart.lines.forEach((one) => row.append(Object.assign(make("td", number(one.values[n])), { className: "number" })));
    });
    details.querySelector(".numbers").replaceChildren(table);
  };

  const drawAll = () => data.charts.forEach(draw);

  // A link to a moment: the chart is come to by the link itself, and the moment is marked and looked at.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-at]");
    if (!link) return;
    marked = Number(link.dataset.at) / MINUTE_MS;
    const around = Math.max(whole() * CLOSER, 2);
    look([Math.max(marked - around, 0), marked + around]);
  });
  document.getElementById("whole").addEventListener("click", () => {
    marked = null;
    look(null);
  });

  // Incidents: only of these kinds, only those that say this.
  const incidents = document.getElementById("incidents");
  const filter = () => {
    const kinds = new Set([...incidents.querySelectorAll("input[name=kind]:checked")].map((box) => box.value));
    const says = (incidents.querySelector("input[name=says]")?.value ?? "").toLowerCase();
    let shown = 0;
    incidents.querySelectorAll("tbody tr").forEach((row) => {
      row.hidden = !kinds.has(row.dataset.kind) || !row.textContent.toLowerCase().includes(says);
      shown += row.hidden ? 0 : 1;
    });
    const status = document.getElementById("shown");
    if (status) status.textContent = `${shown} shown`;
  };
  incidents.addEventListener("input", filter);

  const resized = new ResizeObserver(() => {
    for (const { u, figure } of drawn.values()) {
      const width = figure.querySelector(".plot").clientWidth;
      if (width > 0 && width !== u.width) u.setSize({ width, height: HEIGHT });
    }
  });
  resized.observe(document.getElementById("charts"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", drawAll);

  drawAll();
  filter();

  // A soak that goes on: what is new comes by itself.
  const live = () => {
    const events = new EventSource("events");
    document.body.dataset.live = "waiting";
    events.addEventListener("soak", (event) => {
      const update = JSON.parse(event.data);
      data = update.charts;
      document.body.dataset.live = "open";
      // These come from the same templates as the page, where everything is escaped.
      document.getElementById("clock").innerHTML = update.clock;
      document.getElementById("verdicts").innerHTML = update.verdicts;
      replaceIncidents(update.incidents);
      data.charts.forEach((chart) => {
        const known = drawn.get(chart.id);
        figureOf(chart).querySelector(".says").textContent = chart.says;
        if (!known || known.chart.lines.length !== chart.lines.length) return draw(chart);
        known.chart = chart;
        known.u.setData(columns(chart));
        tell(chart.id);
      });
    });
    events.addEventListener("over", () => {
      events.close();
      document.body.dataset.live = "over";
    });
    events.addEventListener("error", () => {
      if (document.body.dataset.live === "over") return;
      document.body.dataset.live = "lost";
      if (events.readyState === EventSource.CLOSED) setTimeout(live, TRIES_AGAIN_AFTER_MS);
    });
  };
  const replaceIncidents = (html) => {
    const before = new Map([...incidents.querySelectorAll("input[name=kind]")].map((box) => [box.value, box.checked]));
    const search = incidents.querySelector("input[name=says]");
    const [says, isTyping] = [search?.value ?? "", incidents.contains(document.activeElement)];
    // Whoever is at it is not disturbed; the next time will do.
    if (isTyping) return;
    const heading = incidents.querySelector("h2");
    const fresh = make("div");
    fresh.innerHTML = html;
    incidents.replaceChildren(heading, ...fresh.childNodes);
    incidents.querySelectorAll("input[name=kind]").forEach((box) => (box.checked = before.get(box.value) ?? true));
    const again = incidents.querySelector("input[name=says]");
    if (again) again.value = says;
    filter();
  };
  if (document.body.dataset.live !== undefined) live();

  window.s2 = { drawn };
})();
