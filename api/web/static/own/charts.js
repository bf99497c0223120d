// The charts of a log's page: growth with anchors, and how long checkpoints waited. The tables below say the same.
"use strict";

(() => {
  const series = JSON.parse(document.getElementById("series").textContent);
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC");
  const day = 86_400;
  const steps = [1, 5, 15, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, day / 2, day, 7 * day, 30 * day, 365 * day];
  const moments = (_, splits, __, ___, step) =>
    splits.map((at) => {
      const text = new Date(at * 1e3).toISOString();
      if (step >= day) return text.slice(0, 10);
      return step >= 60 ? text.slice(11, 16) : text.slice(11, 19);
    });
  const axis = () => ({
    stroke: color("--pico-muted-color"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { stroke: color("--line"), width: 1 },
    size: 56,
  });

  const draw = (figure, data, lines) => {
    // Its place is kept from the first paint on, so what cannot be drawn must give it back.
    if (data[0].length < 2) return figure.remove();
    const place = figure.querySelector(".drawing");
    figure.classList.add("drawn");
    const chart = new uPlot(
      {
        width: place.clientWidth,
        height: 240,
        // The last label is half outside of the plot.
        padding: [16, 32, 0, 0],
        tzDate: utc,
        series: [{ label: figure.dataset.time, value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss} UTC" }, ...lines],
        axes: [{ ...axis(), size: 34, space: 90, incrs: steps, values: moments }, axis()],
        scales: { y: { range: (_, low, high) => [0, Math.max(1, high * 1.05)] } },
        legend: { live: true },
      },
      data,
      place,
    );
    new ResizeObserver(() => {
      if (place.clientWidth !== chart.width) chart.setSize({ width: place.clientWidth, height: 240 });
    }).observe(place);
  };

  const growth = document.getElementById("chart-growth");
  const stepped = uPlot.paths.stepped({ align: 1 });
  const columns = (rows, of) => [rows.map((row) => row[0]), rows.map((row) => row[of])];
  // Anchors may share a block's second: the last of them is what held from then on.
  const distinct = (rows) => [...new Map(rows.map((row) => [row[0], row])).values()].sort((a, b) => a[0] - b[0]);
  const points = distinct(series.growth);
  const anchors = distinct(series.anchors);
  draw(growth, uPlot.join([columns(points, 1), columns(anchors, 1)]), [
    { label: growth.dataset.size, stroke: color("--pico-primary"), width: 2, paths: stepped, spanGaps: true },
    { label: growth.dataset.anchored, stroke: color("--unsure"), width: 2, dash: [6, 4], paths: stepped, spanGaps: true },
  ]);
  const lag = document.getElementById("chart-lag");
  if (lag) {
    draw(lag, columns(anchors, 2), [
      { label: lag.dataset.lag, stroke: color("--pico-primary"), width: 1, points: { show: true, size: 6 } },
    ]);
  }
})();
