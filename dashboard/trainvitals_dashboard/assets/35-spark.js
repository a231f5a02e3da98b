// The sparklines of a run's key numbers grow while it goes on; drawn as figures/spark.py draws them.
(() => {
  const number = value => value === null ? NaN : +value;
  const POINTS = 48, WIDTH = 132, HEIGHT = 22, DOT = 1.5;
  window.tvSpark = (metric, fresh) => {
    const at = document.querySelector(`[data-spark="${CSS.escape(metric)}"]`);
    if (!at) return;
    if (at._from !== at.dataset.points) { at._from = at.dataset.points; at._points = JSON.parse(at._from).map(([step, value]) => [step, number(value)]); }
    const points = at._points;
    for (const point of fresh) {
      const [before, last] = points.slice(-2);
      if (points.length && point[0] <= points[points.length - 1][0]) continue;
      // as far apart as those of before, or the end would be a clot; the newest is always there
      if (last && point[0] - before[0] < (point[0] - points[0][0]) / POINTS) points.pop();
      points.push(point);
    }
    if (!points.length) return;
    if (points.length > 2 * POINTS) at._points = points.filter((_, index) => index % 2 === 0 || index === points.length - 1);
    at.style.setProperty('--m', `url("data:image/svg+xml,${encodeURIComponent(sparkline(at._points))}")`);
  };
  function sparkline(points) {
    const good = points.map(([, value]) => value).filter(Number.isFinite), first = points[0][0], width = points[points.length - 1][0] - first || 1;
    const low = good.length ? Math.min(...good) : 0, span = good.length ? Math.max(...good) - low || 1 : 1, stretches = [];
    points.forEach(([step, value]) => {
      const finite = Number.isFinite(value), last = stretches[stretches.length - 1];
      const at = [1 + (step - first) / width * (WIDTH - 2), HEIGHT - 2 - (value - low) / span * (HEIGHT - 4)].map(length => length.toFixed(1));
      last && last.finite === finite ? last.at.push(at) : stretches.push({finite, at: [at]});
    });
    return `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 ${WIDTH} ${HEIGHT}' preserveAspectRatio='none'>${stretches.map(stretch).join('')}</svg>`;
  }
  function stretch({finite, at}) {
    const start = at[0][0], end = at[at.length - 1][0];
    if (!finite) return `<path d='M${start},${HEIGHT - 2}H${+end + DOT}' stroke='#000' stroke-width='1.4' stroke-dasharray='2 3'/>`;
    const line = at.length > 1 ? at.join(' ') : `${at[0]} ${+start + DOT},${at[0][1]}`;
    return `<polygon points='${start},${HEIGHT} ${line} ${end},${HEIGHT}' fill='#000' fill-opacity='.16'/>`
      + `<polyline points='${line}' fill='none' stroke='#000' stroke-width='1.4' stroke-linejoin='round'/>`;
  }
})();
