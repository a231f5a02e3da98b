// The pages of layers: the newest numbers in the table, and one line through all
// charts of a layer at the step under the pointer.
window.tvLayers = (() => {
  const NUMBERS_EVERY_MS = 1000, UNNAMED = '(model)';  // as in parts/addresses.py
  const number = value => typeof value === 'string' ? {NaN, Infinity, '-Infinity': -Infinity}[value] : value === null ? NaN : value;
  const show = value => Number.isFinite(value) ? window.dashAgGridFunctions.tvNumber(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';

  function go(layer) {
    const quoted = encodeURIComponent(layer).replace(/[!'()*]/g, sign => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
    window.tvGo(`${location.pathname.replace(/\/$/, '')}/${quoted || UNNAMED}`);
  }

  // ---- the newest snapshot
  let newest = null, waiting = 0;
  document.addEventListener('tv-update', ({detail: update}) => {
    if (!(update.layer_steps || []).length) return;
    newest = {...update, of: window.tvLive.run()};
    if (!waiting) waiting = setTimeout(() => { waiting = 0; write(newest); document.querySelectorAll('.tv-linked .js-plotly-plot').forEach(plot => step === null && say(plot, null)); }, NUMBERS_EVERY_MS);
  });
  function write({layers, layer_steps: steps, stats, of}) {
    const told = document.getElementById('layers-step'), table = document.querySelector('#layers-table table');
    if (!told || !table || table.dataset.run !== of) return; // people may have gone to another run
    told.textContent = `step ${steps[steps.length - 1].toLocaleString('en')}`;
    const first = (steps.length - 1) * layers.length, at = new Map(layers.map((name, index) => [name, first + index]));
    const value = (stat, place) => stats[stat] ? number(stats[stat][place]) : undefined;
    for (const line of document.querySelectorAll('[data-snap]')) {
      const place = at.get(line.dataset.snap);
      if (place === undefined) continue;
      for (const cell of line.querySelectorAll('[data-stat]')) {
        const stat = cell.dataset.stat, now = value(stat, place);
        cell.classList.toggle('tv-old', now === undefined); // not part of the feed: until the table is asked for anew
        cell.title = now === undefined ? `of step ${table.dataset.step}` : '';
        if (now === undefined) continue;
        // NaN stands for what a layer does not have, too: where there was a number, one was lost
        const text = Number.isNaN(now) && cell.textContent === '–' ? '–' : show(now);
        if (cell.textContent !== text) cell.textContent = text;
      }
    }
  }

  // ---- one line through all charts
  let step = null, drawing = false;
  const charts = () => [...document.querySelectorAll('.tv-linked .js-plotly-plot')].filter(plot => plot._fullLayout && plot._fullLayout.xaxis);
  const curve = plot => (plot._fullData || []).find(trace => /-raw$/.test(trace.uid));
  function nearest(steps, wanted) {
    let low = 0, high = steps.length - 1;
    while (low < high) { const middle = (low + high) >> 1; steps[middle] < wanted ? low = middle + 1 : high = middle; }
    return low > 0 && wanted - steps[low - 1] < steps[low] - wanted ? low - 1 : low;
  }
  function say(plot, at) { // the value at the step, or the newest
    const said = plot.closest('.tv-metrics > *')?.querySelector('[data-at]'), line = curve(plot);
    if (!said || !line || !line.x.length) return;
    const last = line.x.length - 1, [newestStep, newestText] = plot.layout.meta?.newest || [-1, ''];
    // the last point may be a mean of several snapshots, but not those that came while one looked
    const text = at === null && newestStep >= line.x[last] ? newestText : show(number(line.y[at === null ? last : nearest(line.x, at)]));
    if (said.textContent !== text) said.textContent = text;
    said.classList.toggle('on', at !== null);
  }
  function draw() {
    drawing = false;
    for (const plot of charts()) {
      const axis = plot._fullLayout.xaxis, {t, h} = plot._fullLayout._size;
      let line = plot.parentElement.querySelector(':scope > .tv-cross');
      if (!line) { line = document.createElement('i'); line.className = 'tv-cross'; plot.parentElement.append(line); }
      const x = step === null ? -1 : axis.d2p(step);
      line.hidden = !(x >= 0 && x <= axis._length);
      if (!line.hidden) Object.assign(line.style, {left: `${axis._offset + x}px`, top: `${t}px`, height: `${h}px`});
      say(plot, step);
    }
  }
  function point(wanted) {
    if (wanted === step) return;
    step = wanted;
    if (!drawing) { drawing = true; requestAnimationFrame(draw); }
  }
  document.addEventListener('pointermove', event => {
    const plot = event.target.closest?.('.tv-linked .js-plotly-plot'), axis = plot && plot._fullLayout && plot._fullLayout.xaxis;
    if (!axis) return step !== null && point(null);
    const x = event.clientX - plot.getBoundingClientRect().left - axis._offset;
    if (x < 0 || x > axis._length) return point(null);
    const wanted = axis.p2d(x), line = curve(plot);
    point(line && line.x.length ? line.x[nearest(line.x, wanted)] : Math.round(wanted)); // where there was a snapshot
  });
  document.addEventListener('pointerleave', () => step !== null && point(null));

  window.dash_clientside.trainvitals.layersChosen = (stat, text, order) => {
    remember('stat', stat);
    remember('text', (text || '').trim());
    remember('order', order === 'model' ? null : order);
    return window.dash_clientside.no_update;
  };
  return {go};
})();
