// One line through all charts of a page at the step under the pointer, with each chart's value there.
window.tvCrosshair = (() => {
  const number = value => typeof value === 'string' ? {NaN, Infinity, '-Infinity': -Infinity}[value] : value === null ? NaN : value;
  const show = value => Number.isFinite(value) ? window.dashAgGridFunctions.tvNumber(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  let step = null, pointed = null, drawing = false;
  const charts = () => [...document.querySelectorAll('.tv-linked .js-plotly-plot')].filter(plot => plot._fullLayout && plot._fullLayout.xaxis);
  const curve = plot => (plot._fullData || []).find(trace => /-raw/.test(trace.uid));
  const isLine = plot => (plot._fullData || []).some(trace => trace.type === 'scatter');
  function nearest(steps, wanted) {
    let low = 0, high = steps.length - 1;
    while (low < high) { const middle = (low + high) >> 1; steps[middle] < wanted ? low = middle + 1 : high = middle; }
    return low > 0 && wanted - steps[low - 1] < steps[low] - wanted ? low - 1 : low;
  }
  const said = plot => plot.closest('.tv-metrics > *')?.querySelector('[data-at]');
  function say(plot, at) { // the value at the step, or the newest
    const place = said(plot), line = curve(plot);
    if (!place || !line || !line.x.length) return;
    const last = line.x.length - 1, [newestStep, newestText] = plot.layout.meta?.newest || [-1, ''];
    // the last point may be a mean of several snapshots, but not those that came while one looked
    const text = at === null && newestStep >= line.x[last] ? newestText : show(number(line.y[at === null ? last : nearest(line.x, at)]));
    if (place.textContent !== text) place.textContent = text;
    place.classList.toggle('on', at !== null);
  }
  function valueAt(plot) { // where there is a curve, and neither plotly nor the chart's head says it
    const line = curve(plot);
    return plot === pointed || said(plot) || !line || !line.x.length ? '' : show(number(line.y[nearest(line.x, step)]));
  }
  function draw() {
    drawing = false;
    for (const plot of charts()) {
      const axis = plot._fullLayout.xaxis, {t, h} = plot._fullLayout._size;
      let line = plot.parentElement.querySelector(':scope > .tv-cross');
      if (!line && step === null) { say(plot, step); continue; }
      if (!line) { line = document.createElement('i'); line.className = 'tv-cross'; line.append(document.createElement('b')); plot.parentElement.append(line); }
      const x = step === null ? -1 : axis.d2p(step);
      line.hidden = !(x >= 0 && x <= axis._length);
      if (!line.hidden) {
        Object.assign(line.style, {left: `${axis._offset + x}px`, top: `${t}px`, height: `${h}px`});
        line.classList.toggle('tv-cross-left', x > axis._length / 2); // its value within the chart
        line.firstChild.textContent = valueAt(plot);
      }
      say(plot, step);
    }
  }
  function point(wanted, plot = null) {
    if (wanted === step && plot === pointed) return;
    step = wanted;
    pointed = plot;
    if (!drawing) { drawing = true; requestAnimationFrame(draw); }
  }
  document.addEventListener('pointermove', event => {
    const plot = event.target.closest?.('.tv-linked .js-plotly-plot'), axis = plot && plot._fullLayout && plot._fullLayout.xaxis;
    if (!axis) return step !== null && point(null);
    const x = event.clientX - plot.getBoundingClientRect().left - axis._offset;
    if (x < 0 || x > axis._length) return point(null);
    const wanted = axis.p2d(x), line = curve(plot);
    point(line && line.x.length ? line.x[nearest(line.x, wanted)] : isLine(plot) ? wanted : Math.round(wanted), plot); // where there was a snapshot
  });
  document.addEventListener('pointerleave', () => step !== null && point(null));
  return {number, show, say: () => step === null && charts().forEach(plot => say(plot, null))};
})();
