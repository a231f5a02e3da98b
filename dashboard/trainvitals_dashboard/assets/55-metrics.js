// The page of metrics, of which there may be hundreds. Their places stand from the start; a chart is asked for when its place
// comes near the window, and given up when that is far away again. What is looked for, and how, is in the address.
(() => {
  const NEAR = '250px 0px', FAR = '2500px 0px', AT_ONCE = 6, ANSWERED_WITHIN_MS = 15000, TOLD_EVERY_MS = 500, TIME_EVERY_MS = 5000, HEIGHT_PX = 150;
  const USUAL = {text: '', smooth: 'off', y: 'linear', x: 'step'}, CONFIG = {displaylogo: false, responsive: true, doubleClick: 'autosize', displayModeBar: false, showTips: false};
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const places = () => [...document.querySelectorAll('.tv-mc')], plotOf = place => place.querySelector('.js-plotly-plot');
  const folded = new WeakMap(), drawn = new WeakMap(), nearby = new Set(), beyond = new WeakSet(), waiting = new Map();
  let look = {...USUAL}, version = 0, heard = 0, askedAt = 0, asked = [], drawing = false, shownIn = null;

  // ---- what is there
  function make(tag, className, text, attributes = {}) {
    const element = Object.assign(document.createElement(tag), {className, textContent: text});
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    return element;
  }
  function newPlace([metric, title]) {
    const place = make('div', 'tv-mc', '', {'data-metric': metric}), head = make('div', 'tv-mc-head', ''), said = make('p', 'tv-mc-n tv-num', '');
    head.append(make('h3', 'tv-mc-t', title, {title: metric}), window.tvCharts.opener(metric));
    place.append(head, said, make('div', 'tv-mc-chart tv-graph', '', {role: 'img'}));
    near.observe(place); far.observe(place);
    return place;
  }
  function newGroup({prefix, title, open}) {
    const group = make('details', 'tv-card tv-mg', '', {'data-fold': `metrics ${prefix}`, 'data-prefix': prefix}), head = document.createElement('summary');
    head.append(make('h2', 'tv-h2', title), ...(prefix && title !== prefix ? [make('code', 'tv-sub', prefix)] : []), make('span', 'tv-mg-count tv-num', ''));
    group.append(head, make('div', 'tv-mg-cells', ''));
    group.open = open;
    return group;
  }
  function build(groups) { // what is there already stays, with its chart
    const root = document.getElementById('metrics-places');
    if (root !== shownIn) { shownIn = root; askedAt = 0; waiting.clear(); } // the page was left: nobody answers what it asked
    const old = new Map([...root.children].map(group => [group.dataset.prefix, group])), there = new Map(places().map(place => [place.dataset.metric, place]));
    arrange(root, groups.map(told => {
      const group = old.get(told.prefix) || newGroup(told);
      arrange(group.lastChild, told.metrics.map(one => there.get(one[0]) || newPlace(one)));
      return group;
    }));
    document.getElementById('metrics-empty').hidden = groups.length > 0;
    filter();
  }

  function arrange(parent, wanted) { // what stands where it should is not touched: the page would jump
    wanted.forEach((element, at) => { if (parent.children[at] !== element) parent.insertBefore(element, parent.children[at] || null); });
    while (parent.children.length > wanted.length) parent.lastChild.remove();
  }

  // ---- what is drawn
  const near = new IntersectionObserver(entries => {
    entries.forEach(({isIntersecting, target}) => { nearby[isIntersecting ? 'add' : 'delete'](target); settle(target); });
    ask();
  }, {rootMargin: NEAR});
  const far = new IntersectionObserver(entries => entries.forEach(({isIntersecting, target}) => {
    beyond[isIntersecting ? 'delete' : 'add'](target);
    settle(target);
  }), {rootMargin: FAR});
  function settle(place) { // of what is near and what is far the browser tells in no order: what came back meanwhile stays
    if (beyond.has(place) && !nearby.has(place)) giveUp(place);
  }
  function ask() { // one question at a time: of two Dash would drop the first one's answer
    for (const place of nearby) if (!place.isConnected) nearby.delete(place);
    if (askedAt && performance.now() - askedAt < ANSWERED_WITHIN_MS) return;
    const wanted = [...nearby].filter(place => drawn.get(place) !== version).sort((a, b) => a.compareDocumentPosition(b) & 4 ? -1 : 1).slice(0, AT_ONCE);
    if (!wanted.length) { askedAt = 0; return; }
    askedAt = performance.now();
    asked = wanted.map(place => [place, version]);
    set('metrics-asked', {data: {metrics: wanted.map(place => place.dataset.metric), smooth: look.smooth, y: look.y, x: look.x, at: askedAt}});
  }
  function again() {
    version++;
    ask();
  }
  function take(answer) {
    if (answer.at !== askedAt) return; // too late: it was asked for again
    asked.forEach(([place, asVersion]) => {
      drawn.set(place, asVersion);
      const told = answer.charts[place.dataset.metric];
      if (told) waiting.set(place, told);
    });
    askedAt = 0;
    ask();
    draw();
  }
  function draw() { // a chart a frame: one can scroll meanwhile
    if (drawing || !waiting.size) return;
    if (!window.Plotly?.react) { setTimeout(draw, 50); return; } // early.js: it may be a promise of itself
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      const [place, told] = waiting.entries().next().value || []; // all may have been given up meanwhile
      if (!place) return;
      waiting.delete(place);
      try {
        if (place.isConnected && nearby.has(place)) show(place, told);
        else drawn.delete(place);
      } finally { draw(); } // one chart that fails is no reason to leave the others out
    });
  }
  function show(place, {numbers, note, label, figure}) {
    const said = Object.entries(numbers).flatMap(([name, value]) => {
      const one = make('span', `tv-mc-${name}`, `${name} `);
      one.append(make('b', '', value, {'data-told': name}));
      return one;
    });
    if (note) said.push(make('span', 'tv-mc-note', note, {title: 'A logarithmic axis has no place for 0 and below.'}));
    place.querySelector('.tv-mc-n').replaceChildren(...said);
    const chart = place.lastChild;
    if (!chart.firstChild) chart.append(Object.assign(document.createElement('div'), {style: `height:${HEIGHT_PX}px`}));
    chart.setAttribute('aria-label', label);
    window.Plotly.react(chart.firstChild, figure.data, figure.layout, CONFIG);
  }
  function giveUp(place) {
    drawn.delete(place); waiting.delete(place);
    const plot = plotOf(place);
    if (!plot) return;
    window.Plotly.purge(plot);
    plot.remove();
  }

  // ---- what is looked for
  function filter() {
    const words = look.text.toLowerCase().split(/\s+/).filter(Boolean), all = places().length;
    let shown = 0;
    document.querySelectorAll('.tv-mg').forEach(group => {
      const inside = [...group.querySelectorAll('.tv-mc')];
      inside.forEach(place => {
        const said = `${place.dataset.metric} ${place.querySelector('.tv-mc-t').textContent}`.toLowerCase();
        place.hidden = !words.every(word => said.includes(word));
      });
      const here = inside.filter(place => !place.hidden).length;
      group.hidden = !here;
      shown += here;
      group.querySelector('.tv-mg-count').textContent = here < inside.length ? `${here} of ${inside.length}` : `${here}`;
      unfold(group, words.join(' '));
    });
    const count = all === 1 ? '1 metric' : `${all.toLocaleString('en')} metrics`;
    if (document.getElementById('metrics-count')) set('metrics-count', {children: words.length ? `${shown} of ${count}` : count});
    const none = document.getElementById('metrics-none');
    if (none) none.hidden = shown > 0 || !all;
  }
  function unfold(group, sought) { // what is found is seen; afterwards the group is as it was
    const fold = `metrics ${sought && `found ${sought} `}${group.dataset.prefix}`;
    if (group.dataset.fold === fold) return;
    group.dataset.fold = fold; // 25-folds.js keeps by this name what was folded by hand: of a search apart
    if (sought) { if (!folded.has(group)) folded.set(group, group.open); group.open = true; }
    else if (folded.has(group)) { group.open = folded.get(group); folded.delete(group); }
  }

  // ---- the numbers above a chart that grows
  function tell(place) {
    const plot = plotOf(place), meta = plot && plot.layout && plot.layout.meta;
    if (!meta || !meta.live || !plot._fullData || plot._fullData.length < 3) return;
    const [low, high, raw] = plot._fullData.map(trace => Array.from(trace.y || []));
    if (raw.length <= meta.points) return; // the server's own are exact
    const finite = numbers => numbers.filter(Number.isFinite), least = finite(low.concat(raw)), most = finite(high.concat(raw));
    write(place, 'last', raw[raw.length - 1]);
    if (least.length) write(place, 'min', Math.min(...least));
    if (most.length) write(place, 'max', Math.max(...most));
  }
  function write(place, name, value) {
    const at = place.querySelector(`[data-told=${name}]`), said = Number.isFinite(value) ? window.dashAgGridFunctions.tvNumber(value) : 'not finite';
    if (at && at.textContent !== said) at.textContent = said;
  }
  setInterval(() => {
    nearby.forEach(tell);
    if (askedAt && performance.now() - askedAt > ANSWERED_WITHIN_MS) ask(); // the server could not answer
  }, TOLD_EVERY_MS);
  // by anything but steps a chart cannot grow by itself: when the next steps were is the server's to tell
  setInterval(() => {
    const {seq} = window.tvLive.stats();
    if (look.x === 'step' || seq === heard || !nearby.size || document.hidden) return;
    heard = seq;
    again();
  }, TIME_EVERY_MS);

  Object.assign(window.dash_clientside.trainvitals, {
    metricsLook: (text, smooth, y, x) => {
      const before = look;
      look = {text: text || '', smooth: smooth || 'off', y: y || 'linear', x: x || 'step'};
      Object.entries(look).forEach(([name, value]) => remember(name, value === USUAL[name] ? null : value));
      const key = document.getElementById('metrics-key');
      if (key) key.hidden = look.smooth === 'off';
      if (look.text !== before.text) filter();
      if (['smooth', 'y', 'x'].some(name => look[name] !== before[name])) again();
      return window.dash_clientside.no_update;
    },
    metricsThere: groups => {
      build(groups || []);
      again();
      return window.dash_clientside.no_update;
    },
    metricsDraw: answer => {
      if (answer) take(answer);
      return window.dash_clientside.no_update;
    },
  });
})();
