// A chart to take away: as it is shown, in the scheme's colours, with its title and key, as PNG or SVG; and its points as CSV.
// Figures take their colours from CSS (20-plot.css), which plotly's own pictures know nothing of: each element's computed style is
// written into a copy, and the page's type comes along.
window.tvExport = (() => {
  const SCALE = 2, PAD_PX = 14, TITLE_PX = 30, LINE_PX = 19, ROW_PX = 20, KEY_PX = 18, BAR_PX = 150, MOST_POINTS = 20000, MOST_BUCKETS = 2000, KEPT_MS = 10000;
  const SVG = 'http://www.w3.org/2000/svg', FONT_FILE = '/assets/fonts/inter-latin.woff2';
  const NO_PICTURE = '.draglayer, .hoverlayer, .zoomlayer, .tv-cross, .modebar';
  const STYLES = ['fill', 'fill-opacity', 'fill-rule', 'stroke', 'stroke-opacity', 'stroke-width', 'stroke-dasharray', 'stroke-linecap', 'stroke-linejoin', 'stroke-miterlimit',
    'opacity', 'visibility', 'font-family', 'font-size', 'font-weight', 'font-style', 'font-variant-numeric', 'text-anchor', 'dominant-baseline', 'letter-spacing', 'white-space',
    'vector-effect', 'shape-rendering', 'image-rendering', 'mix-blend-mode'];
  const token = name => getComputedStyle(document.documentElement).getPropertyValue(`--tv-${name}`).trim();
  const write = (tag, attributes, ...inside) => {
    const element = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.append(...inside);
    return element;
  };

  // ---- the picture
  function styled(source) { // a copy that looks the same where there is no style sheet
    const copy = source.cloneNode(true), gone = [];
    const walk = (from, to) => {
      if (from.nodeType !== 1) return;
      const style = getComputedStyle(from);
      if (style.display === 'none' || from.matches(NO_PICTURE)) return gone.push(to);
      if (!from.closest('defs')) to.setAttribute('style', STYLES.map(name => `${name}:${style.getPropertyValue(name).replaceAll('"', "'")}`).join(';'));
      for (const {name} of [...to.attributes]) if (name === 'class' || name.startsWith('data-')) to.removeAttribute(name);
      [...from.childNodes].forEach((child, at) => walk(child, to.childNodes[at]));
    };
    walk(source, copy);
    gone.forEach(element => element.remove());
    return copy;
  }
  const measure = (() => {
    const pen = document.createElement('canvas').getContext('2d');
    return (text, font) => { pen.font = font; return pen.measureText(text).width; };
  })();
  function fitted(text, width, font) {
    if (measure(text, font) <= width) return text;
    let length = text.length;
    while (length > 1 && measure(`${text.slice(0, length)}…`, font) > width) length--;
    return `${text.slice(0, length)}…`;
  }
  const label = (text, x, y, {size = 12, weight = 400, colour = 'fg-2', family, anchor = 'start'} = {}) =>
    write('text', {x, y, fill: token(colour), 'font-family': family, 'font-size': size, 'font-weight': weight, 'text-anchor': anchor}, text);

  // the key stands beside the plot, as HTML: of runs that are compared a list, else a legend and a bar of colours
  function keyOf(chart, plot) {
    const runs = new Map();
    for (const trace of plot._fullData) {
      const run = /-run(\d+)$/.exec(trace.uid || '');
      if (run && trace.visible === true && /-(line|point|parallel)-/.test(trace.uid)) runs.set(Number(run[1]), [trace.name, plot.querySelector(`[class*="trace${CSS.escape(trace.uid)}"] :is(.js-line, .point)`)]);
    }
    const compared = [...runs].sort(([one], [other]) => one - other).map(([, told]) => told).filter(([, drawn]) => drawn).map(([name, drawn]) => {
      const style = getComputedStyle(drawn), isPoint = drawn.matches('.point');
      return {name, colour: isPoint ? style.fill : style.stroke, dashes: isPoint ? '' : style.strokeDasharray, look: isPoint ? 'pt' : 'ln'};
    });
    if (compared.length) return {items: compared, bar: null, isOfRuns: true};
    const card = chart.closest('.tv-card, .mantine-Drawer-body') || chart;
    const items = [...card.querySelectorAll('.tv-legend > span:has(> .tv-key)')].map(item => {
      const swatch = item.querySelector('.tv-key'), look = /tv-key-(\w+)/.exec(swatch.className)[1];
      return {name: item.textContent, colour: token(/--tv-([\w-]+)/.exec(swatch.style.getPropertyValue('--c'))[1]), dashes: look === 'do' ? '3 2' : '', look};
    });
    const isHeat = plot._fullData.some(trace => trace.type === 'heatmap'), bar = isHeat && card.querySelector('.tv-cbar');
    const kind = bar && (/tv-cbar-(seq|div)/.exec(bar.className) || [])[1];
    return {items, bar: kind ? {kind, said: [...bar.parentElement.querySelectorAll('.tv-cbar-said > *')].map(one => one.textContent)} : null};
  }
  function drawKey({items, bar}, width, top, family) {
    const drawn = write('g', {}), font = `12px ${family}`;
    const across = bar ? Math.min(width - 2 * PAD_PX, Math.max(BAR_PX, bar.said.reduce((sum, text) => sum + measure(text, font) + PAD_PX, 0))) : 0, end = width - PAD_PX - (bar ? across + PAD_PX : 0);
    let x = PAD_PX, y = top;
    for (const {name, colour, dashes, look} of items) {
      const text = fitted(name, end - PAD_PX - KEY_PX - 6, font), needs = KEY_PX + 6 + measure(text, font);
      if (x + needs > end && x > PAD_PX) { x = PAD_PX; y += ROW_PX; }
      drawn.append(look === 'dm' ? write('rect', {x: x + 5, y: y + 6, width: 8, height: 8, fill: colour, transform: `rotate(45 ${x + 9} ${y + 10})`})
        : look === 'pt' ? write('circle', {cx: x + 9, cy: y + 10, r: 5, fill: colour})
        : look === 'fi' ? write('rect', {x: x + 1, y: y + 5, width: 14, height: 10, rx: 2, fill: colour})
        : write('line', {x1: x, x2: x + 16, y1: y + 10, y2: y + 10, stroke: colour, 'stroke-width': 2, 'stroke-dasharray': dashes || 'none', opacity: look === 'fa' ? .5 : 1}));
      drawn.append(label(text, x + KEY_PX + 4, y + 14, {family}));
      x += needs + PAD_PX;
    }
    if (bar) {
      const left = width - PAD_PX - across, stops = window.tvScales[bar.kind][scheme()].map(([at, colour]) => write('stop', {offset: at, 'stop-color': colour}));
      drawn.append(write('defs', {}, write('linearGradient', {id: 'tv-bar'}, ...stops)), write('rect', {x: left, y: top, width: across, height: 7, rx: 2, fill: 'url(#tv-bar)'}));
      const places = bar.said.length > 2 ? [['start', left], ['middle', left + across / 2], ['end', left + across]] : [['start', left], ['end', left + across]];
      bar.said.forEach((text, at) => places[at] && drawn.append(label(text, places[at][1], top + 19, {size: 11, family, anchor: places[at][0]})));
    }
    return {drawn, height: items.length || bar ? y - top + ROW_PX + 4 : 0};
  }
  function keyDrawing(chart, plot) { // of runs that are compared, whose key is a list beside the plot
    const key = keyOf(chart, plot), width = document.documentElement.clientWidth;
    if (!key.isOfRuns) return null;
    const {drawn, height} = drawKey(key, width, 0, getComputedStyle(document.body).fontFamily);
    return write('svg', {width, height, class: 'tv-embed-key', 'aria-hidden': 'true'}, drawn);
  }
  const scheme = () => document.documentElement.getAttribute('data-mantine-color-scheme') || 'light';
  async function font() { // an image may fetch nothing: the letters must be in it
    const bytes = new Uint8Array(await (await fetch(FONT_FILE)).arrayBuffer());
    let letters = '';
    for (let at = 0; at < bytes.length; at += 8192) letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
    return `@font-face{font-family:'Inter Variable';font-weight:100 900;src:url(data:font/woff2;base64,${btoa(letters)}) format('woff2')}`;
  }
  function lined(title, width, font) { // in two lines where it does not fit in one: where, and what
    const at = title.lastIndexOf(' · ');
    return (measure(title, font) <= width || at < 0 ? [title] : [title.slice(0, at), title.slice(at + 3)]).map(line => fitted(line, width, font));
  }
  async function picture(chart, plot, title) {
    const box = plot.getBoundingClientRect(), width = Math.round(box.width), family = getComputedStyle(document.body).fontFamily.replaceAll('"', "'");
    const titles = lined(title, width - 2 * PAD_PX, `600 14px ${family}`), below = TITLE_PX + LINE_PX * (titles.length - 1);
    const key = drawKey(keyOf(chart, plot), width, below + 4, family), top = below + 6 + key.height, height = top + Math.round(box.height) + 6;
    const whole = write('svg', {xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}`}, write('title', {}, title), write('style', {}, await font().catch(() => '')));
    whole.append(write('rect', {width, height, fill: token('surface')}), ...titles.map((line, at) => label(line, PAD_PX, 22 + LINE_PX * at, {size: 14, weight: 600, colour: 'fg', family})), key.drawn);
    const layers = write('g', {transform: `translate(0 ${top})`});
    for (const layer of plot.querySelectorAll('.svg-container > .main-svg, .svg-container > .gl-container + .main-svg')) layers.append(styled(layer));
    whole.append(layers);
    return {text: new XMLSerializer().serializeToString(whole), width, height};
  }
  function save(blob, name, ending) {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${name.replace(/[^\p{L}\p{N}.-]+/gu, '_').replace(/^[._]+|_+$/g, '')}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
  }
  async function svg(chart, plot, title, file) {
    const {text} = await picture(chart, plot, title);
    save(new Blob([text], {type: 'image/svg+xml'}), file, 'svg');
  }
  async function png(chart, plot, title, file) {
    const {text, width, height} = await picture(chart, plot, title), drawn = new Image(), address = URL.createObjectURL(new Blob([text], {type: 'image/svg+xml'}));
    try {
      drawn.src = address;
      await drawn.decode();
      const canvas = Object.assign(document.createElement('canvas'), {width: width * SCALE, height: height * SCALE}), pen = canvas.getContext('2d');
      pen.drawImage(drawn, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise(done => canvas.toBlob(done, 'image/png'));
      if (!blob) throw new Error('This browser could not draw the image. The drawing (SVG) is the same.');
      save(blob, file, 'png');
    } finally { URL.revokeObjectURL(address); }
  }

  // ---- the points
  const run = () => { const at = location.pathname.match(/^\/runs\/([^/]+)/); return at ? decodeURIComponent(at[1]) : ''; };
  const quoted = text => /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  // names are people's: in a table they are text, whatever they begin with
  const named = name => quoted(/^[=+\-@\t\r]/.test(name) ? `'${name}` : String(name));
  const number = value => value === null || value === undefined ? '' : String(value); // NaN and the infinities by their names
  const lines = rows => `${rows.map(row => row.join(',')).join('\n')}\n`;
  // what the server has is asked for, where the chart says what it is of: more points than are drawn, and exact ones
  function followed(chart, plot) {
    const {live} = plot.layout.meta || {};
    if (chart.dataset.metric) return {series: [{metric: chart.dataset.metric}]}; // 55-metrics.js
    if (!live || !run()) return null;
    if (live.heat) return {heat: live.heat, layers: live.layers};
    const names = [...new Set((live.lines || []).map(line => line.metric).filter(Boolean))];
    return names.length ? {series: names.map(name => live.layer !== undefined ? {stat: name, layer: live.layer} : {metric: name})} : null;
  }
  const told = (chart, plot) => {
    const source = followed(chart, plot);
    if (source && source.heat) return `every step; of more than ${MOST_BUCKETS.toLocaleString('en')} averages`;
    if (source) return `every point; of more than ${MOST_POINTS.toLocaleString('en')} an envelope`;
    return isReduced(plot) ? 'as drawn, an envelope' : 'as drawn';
  };
  function isReduced(plot) {
    const of = part => plot._fullData.filter(trace => new RegExp(`-${part}(-|\\d|$)`).test(trace.uid || ''));
    const lows = of('low'), highs = of('high');
    return lows.some((low, at) => highs[at] && Array.from(low.y || []).some((value, place) => !Object.is(value, highs[at].y[place])));
  }
  async function ask(path, query) {
    const answer = await fetch(`/api/v1/runs/${encodeURIComponent(run())}/${path}?${new URLSearchParams(query)}`).catch(() => null);
    if (answer && answer.status === 404) throw new Error('Nothing was recorded of this yet.');
    if (!answer || !answer.ok) throw new Error('The points could not be read. Try again when the server is well.');
    return answer.json();
  }
  async function series(asked) {
    const curves = await Promise.all(asked.map(one => ask('curve', {...one, points: MOST_POINTS}))), exact = curves.every(curve => curve.bucket === 1);
    const head = exact ? ['step', 'value'] : ['first_step', 'last_step', 'lowest', 'mean', 'highest', 'not_finite'], many = curves.length > 1;
    const row = (curve, at) => (exact ? [curve.steps[at], curve.mean[at]] : [curve.steps[at], curve.last_steps[at], curve.low[at], curve.mean[at], curve.high[at], curve.nonfinite[at]]).map(number);
    return lines([[...(many ? ['metric'] : []), ...head], ...curves.flatMap((curve, which) => curve.steps.map((_, at) => [...(many ? [named(asked[which].metric || asked[which].stat)] : []), ...row(curve, at)]))]);
  }
  async function heat({heat, layers}) {
    const told = await ask('heatmap', {stat: heat, buckets: MOST_BUCKETS}), shown = new Set(layers), width = told.steps.length;
    const rows = told.layers.flatMap((layer, row) => shown.has(layer) ? told.steps.map((step, column) => [named(layer), step, number(told.mean[row * width + column])]) : []);
    return lines([['layer', 'step', 'value'], ...rows]);
  }
  function drawn(plot) {
    const traces = plot._fullData.filter(trace => trace.visible === true && trace.hoverinfo !== 'none');
    return traces.some(trace => trace.type === 'heatmap') ? cells(traces) : curves(plot, traces);
  }
  function cells(traces) { // a layer or a range of values, a step, and the value itself where its logarithm is drawn
    const rows = [];
    for (const {x, y, z, x0 = 0, dx = 1, transpose, meta} of traces) {
      const isMark = meta && meta.tv === 'nonfinite' && !meta.power, wide = transpose ? z.length : (z[0] || []).length;
      y.forEach((name, row) => { for (let column = 0; column < wide; column++) {
        const value = transpose ? z[column][row] : z[row][column];
        if (value === undefined || Number.isNaN(value)) continue;
        const step = x && x.length ? x[column] : x0 + column * dx;
        rows.push([named(String(name)), number(step), isMark ? 'not finite' : number(!meta || !meta.power ? value : value <= -38 ? 0 : meta.power ** value)]);
      } });
    }
    return lines([['name', 'step', 'value'], ...rows]);
  }
  function curves(plot, traces) { // a column each beside the steps; a row each where points share no axis of steps
    const names = new Map(), called = traces.map(({name, uid, meta}) => {
      const word = /-nonfinite/.test(uid || '') && !/not finite/.test(name) ? `${name} not finite` : name || uid || 'value';
      const times = (names.get(word) || 0) + 1;
      names.set(word, times);
      return times === 1 ? word : times === 2 ? `${word} smoothed` : `${word} ${times}`;
    });
    const isMark = traces.map(({uid}) => /-nonfinite/.test(uid || '')), axis = word => plot._fullLayout[`${word}axis`].title?.text;
    const {columns} = plot.layout.meta || {};
    if (columns) return lines([['name', ...columns.map(named)], ...traces.map(({name, customdata}) => [named(name), ...Array.from(customdata || [], number)])]);
    const isSteps = traces.every(({x}) => { const every = Array.from(x || []); return every.every((value, at) => Number.isInteger(value) && (!at || value > every[at - 1])); }) && traces.some(({x}) => (x || []).length > 1) && !traces.some(({uid}) => /-point-/.test(uid || ''));
    if (!isSteps) {
      const x = plainly(axis('x')) || 'x', y = plainly(axis('y')) || 'y';
      return lines([['name', named(x), named(y)], ...traces.flatMap((trace, which) => Array.from(trace.x || [], (value, at) => [named(called[which]), typeof value === 'number' ? number(value) : named(String(value)), isMark[which] ? 'not finite' : number(trace.y[at])]))]);
    }
    const steps = new Map();
    traces.forEach(({x, y}, which) => Array.from(x || []).forEach((step, at) => {
      if (!steps.has(step)) steps.set(step, []);
      steps.get(step)[which] = isMark[which] ? 'marked' : number(y[at]);
    }));
    const rows = [...steps].sort(([one], [other]) => one - other).map(([step, values]) => [step, ...traces.map((_, which) => values[which] === undefined ? '' : values[which])]);
    return lines([['step', ...called.map(named)], ...rows]);
  }
  const plainly = text => { const reader = document.createElement('textarea'); reader.innerHTML = text || ''; return /Click to enter/.test(reader.value) ? '' : reader.value; };
  async function csv(chart, plot) {
    const source = followed(chart, plot), text = source ? source.heat ? await heat(source) : await series(source.series) : drawn(plot);
    save(new Blob([text], {type: 'text/csv;charset=utf-8'}), `${run() || 'compare'}-${chart.dataset.metric || chart.dataset.chart.replace(/^g-/, '')}`, 'csv');
  }
  return {png, svg, csv, told, keyDrawing};
})();
