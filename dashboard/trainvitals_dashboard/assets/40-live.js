// Live pages: updates merged per plot, one plot drawn per frame, and as much rest as drawing took.
// A plot opts in by its figure's layout.meta.live: {lines: [{trace, metric, span?, log?, nonfinite?}], layer?, max} (of a layer's stats in place of metrics) or {heat, log, layers, x0, dx, max, awaits?} (figures/heat.py).
window.tvLive = (() => {
  const RELOAD_EVERY_MS = 3000, PANELS_EVERY_MS = 1500, SAME_FINDINGS_EVERY_MS = 15000, ROWS_EVERY_MS = 4000, RANKS_EVERY_MS = 5000, CHECKLIST_EVERY_MS = 15000, LABELLED_DECADES = 5, RECENT = 20, REPLAYED_MS = 20000, LATE_FIGURES_EVERY_MS = 500;
  let page = {}, seq = 0, rest = 0, scheduled = false;
  const pending = new Map(), onScreen = new WeakSet(), known = new WeakSet(), elapsed = [], recent = [], written = new Map();
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const NUMBERS = {NaN: NaN, Infinity: Infinity, '-Infinity': -Infinity};
  const number = value => typeof value === 'string' ? NUMBERS[value] : value === null ? NaN : value;
  const seen = new IntersectionObserver(entries => entries.forEach(entry => {
    onScreen[entry.isIntersecting ? 'add' : 'delete'](entry.target);
    if (entry.isIntersecting) kick();
  }), {rootMargin: '120px'});
  const plots = () => [...document.querySelectorAll('.js-plotly-plot')].filter(plot => plot._fullLayout && plot.layout && plot.layout.meta && plot.layout.meta.live);

  // ---- what is followed
  function follow(wanted) {
    if (JSON.stringify(wanted) === JSON.stringify(page) && window.tvConnection.isUp()) return;
    page = wanted || {}; seq = page.since || 0;
    window.tvClocks.set(page.now);
    window.tvTitle.of(page);
    before = page.shown ? JSON.stringify([page.run, ...page.shown]) : '';
    window.tvRuns.forget();
    pending.clear(); shownFindings.clear(); elapsed.length = 0; recent.length = 0; written.clear();
    const path = page.run ? `runs/${encodeURIComponent(page.run)}/live` : 'live';
    window.tvConnection.follow(page.run || page.all ? {path, since: () => seq, take: update => page.run ? take(update) : takeRows(update)} : null, badge(page.status));
  }
  const badge = status => !status || status === 'running' ? 'on' : status === 'lost' ? 'waiting' : 'ended';
  const throttled = (work, every) => {
    let waiting = 0, last = 0;
    return () => { if (!waiting) waiting = setTimeout(() => { waiting = 0; last = Date.now(); work(); }, Math.max(0, last + every - Date.now())); };
  };
  const reload = throttled(() => (page.run || page.all) && set('live-reload', {data: Date.now()}), RELOAD_EVERY_MS);
  const panels = throttled(() => page.run && set('live-findings', {data: Date.now()}), PANELS_EVERY_MS);
  const panelsSoon = throttled(() => page.run && set('live-findings', {data: Date.now()}), SAME_FINDINGS_EVERY_MS);
  const notes = throttled(() => page.run && set('live-notes', {data: Date.now()}), PANELS_EVERY_MS);
  const ranks = throttled(() => page.run && set('live-ranks', {data: Date.now()}), RANKS_EVERY_MS);
  const checklist = throttled(() => page.run && set('live-checklist', {data: Date.now()}), CHECKLIST_EVERY_MS); // what was too early to tell
  // An open finding counts its steps with every update; drawn each time, it would slip away under the pointer.
  const shownFindings = new Map();
  function takeFindings(findings) {
    let isNew = false;
    for (const finding of findings) {
      const now = JSON.stringify([finding.state, finding.severity, finding.layers, finding.cause_id]);
      isNew = isNew || shownFindings.get(finding.finding_id) !== now;
      shownFindings.set(finding.finding_id, now);
    }
    if (findings.length) isNew ? panels() : panelsSoon();
  }
  const redrawCompared = throttled(() => page.compare && page.compare.length && set('live-reload', {data: Date.now()}), ROWS_EVERY_MS);

  // ---- a run
  function take(update) {
    seq = update.seq;
    window.tvClocks.set(update.sent_at);
    if (update.reset) { written.clear(); recent.length = elapsed.length = 0; panels(); return reload(); }
    numbers(update);
    recent.push({now: performance.now(), update});
    feed([update]);
    document.dispatchEvent(new CustomEvent('tv-update', {detail: update}));
    takeFindings(update.findings || []);
    if (update.noted) notes();
    const fresh = Object.keys(update.metrics || {}).filter(name => page.metrics && !page.metrics.includes(name));
    if (fresh.length) { page.metrics.push(...fresh); reload(); }
    if (update.run) run(update.run);
  }
  function feed(parts) {
    let missing = false;
    const drawnAnew = [];
    while (recent.length && recent[0].now < performance.now() - REPLAYED_MS) recent.shift();
    for (const plot of plots()) {
      if (!known.has(plot)) { known.add(plot); onScreen.add(plot); seen.observe(plot); }
      const live = plot.layout.meta.live;
      // a figure from the server is as old as its way was long: what came meanwhile is drawn on it once more
      const isNew = plot._tvFigure !== live;
      if (isNew) { plot._tvFigure = live; pending.delete(plot); drawnAnew.push(plot); }
      for (const part of isNew ? recent.map(one => one.update) : parts) {
        if (live.lines) takeLines(plot, live, live.layer === undefined ? part.metrics || {} : statsOf(part, live.layer));
        else missing = !takeHeat(plot, live, part) || missing;
      }
    }
    drawnAnew.forEach(plot => ends(plot));
    if (missing) reload();
    if (pending.size) kick();
  }
  setInterval(() => feed([]), LATE_FIGURES_EVERY_MS); // one that was still being drawn when it came, or that nothing comes after
  function statsOf(update, layer) { // as metrics are sent
    const names = update.layers || [], steps = update.layer_steps || [], at = names.indexOf(layer);
    if (at < 0) return {};
    return Object.fromEntries(Object.entries(update.stats || {}).map(([stat, values]) => [stat, [steps, steps.map((_, row) => values[row * names.length + at])]]));
  }
  function takeLines(plot, live, metrics) {
    if (!live.lines.some(line => metrics[line.metric])) return;
    const waits = pending.get(plot) || {lines: live.lines.map(() => ({x: [], y: []}))};
    live.lines.forEach((line, index) => {
      const points = metrics[line.metric];
      if (!points) return;
      const to = waits.lines[index];
      points[0].forEach((step, at) => {
        const value = number(points[1][at]);
        if (line.nonfinite ? !Number.isFinite(value) : true) { to.x.push(step); to.y.push(Number.isFinite(value) ? value : NaN); }
      });
    });
    pending.set(plot, waits);
  }
  function takeHeat(plot, live, update) {
    const values = (update.stats || {})[live.heat], names = update.layers || [], steps = update.layer_steps || [];
    if (!values || !steps.length) return true;
    if (!live.layers.length) return !!live.awaits && !names.some((name, column) => live.awaits.includes(name) && steps.some((_, row) => Number.isFinite(number(values[row * names.length + column])))); // else it would be asked for for ever
    const columns = new Map(names.map((name, index) => [name, index]));
    const order = live.layers.map(name => columns.get(name));
    const waits = pending.get(plot) || {columns: []};
    steps.forEach((step, row) => waits.columns.push([step, order.map(column => {
      const value = column === undefined ? NaN : number(values[row * names.length + column]);
      return live.log ? (value === 0 ? -38 : Math.log10(Math.abs(value))) : value;
    })]));
    pending.set(plot, waits);
    return true;
  }
  function write(key, attribute, value, redraw) {
    const at = place(key, attribute);
    if (!at) return;
    written.set(`${attribute} ${key}`, {key, attribute, value, redraw, now: performance.now()});
    if (at.textContent !== value) at.textContent = value;
  }
  const place = (key, attribute) => document.querySelector(`[data-${attribute}="${CSS.escape(key)}"]`);
  // numbers from the server are as old as their way was long, like figures: what was written meanwhile is written once more
  setInterval(() => written.forEach(({key, attribute, value, redraw, now}, name) => {
    const at = place(key, attribute);
    if (!at || now < performance.now() - REPLAYED_MS) return written.delete(name);
    if (at.textContent === value) return;
    at.textContent = value;
    redraw();
  }), LATE_FIGURES_EVERY_MS);
  function numbers(update) {
    const show = window.dashAgGridFunctions.tvNumber;
    for (const [metric, [steps, values]] of Object.entries(update.metrics || {})) {
      if (metric === 'elapsed_seconds') { speed(steps, values); continue; }
      const value = values[values.length - 1];
      write(metric, 'kpi', metric === 'overhead_fraction' ? (number(value) * 100).toFixed(2) : show(value), () => recent.forEach(one => spark(metric, one.update)));
      spark(metric, update);
    }
  }
  function spark(metric, update) {
    const [steps, values] = (update.metrics || {})[metric] || [[], []];
    if (steps.length) window.tvSpark(metric, steps.map((step, index) => [step, number(values[index])]));
  }
  function speed(steps, values) {
    steps.forEach((step, index) => elapsed.push([step, number(values[index])]));
    elapsed.splice(0, elapsed.length - RECENT);
    const first = elapsed[0], last = elapsed[elapsed.length - 1];
    if (!(last[1] > first[1])) return;
    const now = (last[0] - first[0]) / (last[1] - first[1]);
    const draw = () => window.tvSpark('elapsed_seconds', [[last[0], now]]);
    write('elapsed_seconds', 'kpi', window.dashAgGridFunctions.tvNumber(now), draw);
    draw();
  }

  let before = '';
  function run(summary) {
    if (summary.last_step !== null && summary.last_step !== undefined) write('step', 'live', summary.last_step.toLocaleString('en'), () => window.tvClocks.run(summary));
    window.tvClocks.run(summary);
    if (summary.ranks > 1) ranks(); // points of other ranks are not sent: their charts are asked for anew
    checklist();
    window.tvConnection.say(badge(summary.status));
    const now = JSON.stringify([summary.run_id, summary.status, summary.health, summary.little_known, summary.open_findings]);
    if (before && before !== now) panels();
    window.tvTitle.told(summary);
    before = now;
  }

  // ---- the table of runs
  function takeRows(update) {
    seq = update.seq;
    window.tvClocks.set(update.sent_at);
    if (update.reset) { // the connection was away for long: all rows anew
      if (page.compare) return redrawCompared();
      return window.tvRuns.refresh();
    }
    const rows = update.runs || [];
    if (page.compare) { if (rows.some(row => page.compare.includes(row.run_id))) redrawCompared(); return; }
    if (rows.length && document.querySelector('.tv-empty')) return location.reload();
    window.tvRuns.take(rows);
  }

  // ---- drawing
  function kick() {
    if (scheduled || document.hidden) return;
    scheduled = true;
    setTimeout(() => requestAnimationFrame(draw), Math.max(0, rest - 16));
  }
  function plain(plot) { // extendTraces refuses base64 arrays in plot.data: swap in the decoded ones, once
    plot.data.forEach((trace, index) => ['x', 'y', 'z'].forEach(key => {
      if (!trace[key] || trace[key].bdata === undefined) return;
      const decoded = plot._fullData[index][key];
      trace[key] = key === 'z' ? Array.from(decoded, row => Array.from(row)) : Array.from(decoded);
    }));
  }
  function draw() {
    scheduled = false;
    const start = performance.now();
    for (const [plot, waits] of pending) {
      if (!plot.isConnected) { pending.delete(plot); continue; }
      if (!onScreen.has(plot)) continue;
      pending.delete(plot);
      const live = plot.layout.meta && plot.layout.meta.live;
      if (!live) continue;
      plain(plot);
      waits.lines && live.lines ? drawLines(plot, live, waits.lines) : waits.columns && live.heat && drawHeat(plot, live, waits.columns);
      break;
    }
    rest = Math.min(1500, performance.now() - start);
    if ([...pending.keys()].some(plot => onScreen.has(plot))) kick();
  }
  function drawLines(plot, live, lines) {
    const xs = [], ys = [], traces = [];
    let longest = 0;
    lines.forEach((fresh, index) => {
      const line = live.lines[index];
      if (!line) return;
      const shown = plot.data[line.trace], last = shown.x.length ? shown.x[shown.x.length - 1] : -1;
      const keep = line.nonfinite ? apart(plot.data[live.lines[0].trace], shown, fresh, line.nonfinite) : fresh.x.map((_, at) => at).filter(at => fresh.x[at] > last);
      if (!keep.length) return;
      const x = keep.map(at => fresh.x[at]);
      let y = keep.map(at => fresh.y[at]);
      if (line.span) y = line.log ? smooth({x: shown.x, y: shown.y.map(Math.log10)}, x, y.map(Math.log10), line).map(power => 10 ** power) : smooth(shown, x, y, line);
      if (line.nonfinite) { const height = [...plot.data[live.lines[0].trace].y].reverse().find(Number.isFinite); y = y.map(() => height === undefined ? 0 : height); }
      xs.push(x); ys.push(y); traces.push(line.trace);
      longest = Math.max(longest, shown.x.length + x.length);
    });
    if (!traces.length) { isBehind(plot) && Plotly.redraw(plot); return; } // all of it was in the server's figure
    const newest = Math.max(...xs.flat());
    ends(plot, Math.min(...xs.flat()), newest);
    if ((plot.layout.annotations || []).some(isEmpty)) begin(plot);
    traces.forEach((trace, at) => { const {meta, x} = plot.data[trace]; if (meta && meta.lone && x.length + xs[at].length > 1) Object.assign(plot.data[trace], {mode: 'lines', meta: {}}); });
    plot.data.forEach(trace => { if (trace.meta && trace.meta.open) trace.x = [trace.x[0], Math.max(trace.x[1], newest)]; });
    Plotly.extendTraces(plot, {x: xs, y: ys}, traces);
    const axis = plot._fullLayout.yaxis, decades = Math.ceil((axis.range[1] - axis.range[0]) / LABELLED_DECADES);
    if (axis.type === 'log' && decades > axis.dtick) Plotly.relayout(plot, {'yaxis.dtick': decades});
    if (longest > live.max) reload();
  }
  const isEmpty = annotation => annotation.name === 'empty'; // figures/emptiness.py
  function begin(plot) { // the first point of all
    plot.layout.annotations = plot.layout.annotations.filter(annotation => !isEmpty(annotation));
    for (const axis of ['xaxis', 'yaxis']) plot.layout[axis].showticklabels = true;
  }
  // plots end at the run's last step, not where the width of marks would have them end; the loss and the heatmap below it together.
  // Without steps that came, the plot is a new figure, which may be older or newer than those beside it.
  function ends(plot, from = Infinity, to = -Infinity) {
    const group = ['#g-loss, #g-heat', '#layer-charts'].find(group => plot.closest(group)), hasCome = to >= from;
    const all = group ? plots().filter(one => one.closest(group)) : [plot];
    const spanned = all.filter(one => (one.layout.xaxis.autorangeoptions || {}).clipmax !== undefined), spans = spanned.map(one => one.layout.xaxis.autorangeoptions);
    if (!hasCome && !spans.length) return;
    const first = Math.min(from, ...spans.map(span => Math.ceil(span.clipmin))), last = Math.max(to, ...spans.map(span => Math.floor(span.clipmax)));
    const [low, high] = last > first ? [first, last] : [first - .5, first + .5];  // figures/steps.py
    for (const one of hasCome ? all : spanned) {
      const axis = one.layout.xaxis, before = axis.autorangeoptions || {};
      if (before.clipmin === low && before.clipmax === high) continue;
      Object.assign(axis, {autorangeoptions: {clipmin: low, clipmax: high, include: [low, high]}, nticks: Math.min(one.layout.meta.live.ticks, high - low + 1)});
      const isDrawnSoon = one === plot || pending.has(one) || group === '#layer-charts'; // of a layer's many all have news together
      if (!hasCome || !isDrawnSoon) Plotly.redraw(one);
    }
  }
  const isBehind = plot => (plot._fullLayout.xaxis.autorangeoptions || {}).clipmax !== (plot.layout.xaxis.autorangeoptions || {}).clipmax;
  function apart(line, shown, fresh, most) { // crosses enough to see, too few to hide a curve
    let last = shown.x.length ? shown.x[shown.x.length - 1] : -Infinity;
    const newest = fresh.x[fresh.x.length - 1], between = (newest - (line.x.length ? line.x[0] : 0)) / most;
    return fresh.x.map((_, at) => at).filter(at => fresh.x[at] - last > between && (last = fresh.x[at], true));
  }
  function smooth(shown, x, y, line) { // as figures/lines.py: `known` is how much of its weight the average has
    let at = shown.y.length - 1;
    while (at >= 0 && !Number.isFinite(shown.y[at])) at--;
    let last = at >= 0 ? shown.y[at] : NaN, step = at >= 0 ? shown.x[at] : 0;
    return y.map((value, index) => {
      if (!Number.isFinite(value)) return NaN;
      const isFirst = !Number.isFinite(last), kept = Math.exp(-(isFirst ? 1 : x[index] - step) / line.span);
      line.known = (isFirst ? 0 : line.known) * kept + 1 - kept;
      last = isFirst ? value : last + (1 - kept) / line.known * (value - last);
      step = x[index];
      return last;
    });
  }
  function drawHeat(plot, live, columns) { // live snapshots are averaged into the columns' even spacing
    const rows = plot.data[0].z, bad = plot.data[1].z, marked = bad.length, empty = live.layers.map(() => NaN);
    const counts = plot._tvCounts && plot._tvCounts.rows === rows ? plot._tvCounts : (plot._tvCounts = {rows, from: rows.length, of: new Map()});
    for (const [step, column] of columns) {
      const at = Math.round((step - live.x0) / live.dx);
      if (at < counts.from) continue; // the server's answer has it already
      while (rows.length <= at) { rows.push(rows.length === at ? column : [...(rows[rows.length - 1] || empty)]); marked && bad.push(empty); }
      const count = counts.of.get(at) || 0;
      rows[at] = count ? rows[at].map((value, layer) => value + (column[layer] - value) / (count + 1)) : column;
      counts.of.set(at, count + 1);
    }
    ends(plot, columns[0][0], columns[columns.length - 1][0]);
    marked ? Plotly.restyle(plot, {z: [rows, bad]}, [0, 1]) : Plotly.restyle(plot, {z: [rows]}, [0]);
    plot._tvCounts.rows = plot.data[0].z;
    if (rows.length > live.max) reload();
  }

  document.addEventListener('visibilitychange', () => document.hidden || kick());
  return {follow, run: () => page.run, stats: () => ({seq, pending: pending.size, rest})};
})();

let placed = '';
window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.trainvitals = {
  follow: page => {
    window.tvLive.follow(page);
    const kind = page && ['finding', 'layer'].find(one => typeof page[one] === 'string'); // what the address opens
    if (kind) setTimeout(() => kind === 'finding' && window.tvFindings.isHere() ? window.tvFindings.choose(page.finding) : window.tvDrawer.show({kind, name: page[kind]}));
    return window.dash_clientside.no_update;
  },
  burger: (open, bar) => ({...bar, collapsed: {mobile: !open}}),
  place: path => {
    document.querySelectorAll('.tv-rail-a').forEach(link => {
      const href = link.getAttribute('href');
      link.classList.toggle('on', href === '/' ? path === '/' || path.startsWith('/runs') : path.startsWith(href));
      link.classList.contains('on') ? link.setAttribute('aria-current', href === path ? 'page' : 'true') : link.removeAttribute('aria-current');
    });
    // on a phone neither stays open over another page: the navigation, nor the drawer
    if (placed && placed !== path) window.dash_clientside.set_props('burger', {opened: false});
    placed = path;
    return [window.dash_clientside.no_update, false];
  },
  closed: opened => { window.tvDrawer.turned(opened); return window.dash_clientside.no_update; },
  heatStat: stat => { remember('stat', stat); return window.dash_clientside.no_update; },
};

// What is asked for goes through a store and not through the buttons, which are drawn anew while one clicks.
window.tvAsk = (kind, name) => {
  if (kind !== 'finding' || !window.tvFindings.isHere()) return window.tvDrawer.open(kind, name);
  remember('finding', name);
  window.tvFindings.choose(name);
};
document.addEventListener('click', event => {
  const finding = event.target.closest?.('[data-finding]');
  if (finding) window.tvAsk('finding', finding.dataset.finding);
  const layer = event.target.closest?.('[data-layer]');
  if (layer) window.tvAsk('layer', layer.dataset.layer);
});

// The URL is the state: what is looked at can be sent to somebody else.
function remember(key, value) {
  const url = new URL(location.href);
  value ? url.searchParams.set(key, value) : url.searchParams.delete(key);
  history.replaceState(history.state, '', url);
  window.tvDrawer.stays();
}
