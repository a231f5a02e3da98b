// Cells and values of the runs table. A row is a RunSummary as the wire has it.
(() => {
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const h = (...parts) => React.createElement(...parts);
  const icon = name => h('span', {className: 'tv-icon', style: {'--i': `url(/assets/icons/${name}.svg)`, width: 13, height: 13}});
  const STATUS = {running: ['ok', 'activity-heartbeat'], finished: ['info', 'circle-check'], stopped: ['dim', 'player-stop'], failed: ['crit', 'circle-x'], lost: ['warn', 'plug-off']};
  const GRAVITY = {critical: ['crit', 'alert-octagon'], warning: ['warn', 'alert-triangle'], info: ['info', 'info-circle']};
  const MARK_PX = 17, DIGIT_PX = 8, MARKS_APART_PX = 6, CELL_EDGES_PX = 24; // of the column of findings
  const TAG_EDGES_PX = 16, TAG_MOST_PX = 140, TAGS_APART_PX = 4, TAG_TEXT_PX = 11.5; // as 19-runs.css has them
  const WORDS = {Infinity: '∞', '-Infinity': '−∞'};

  functions.tvNumber = value => {
    if (value === null || value === undefined) return '–';
    if (typeof value === 'string') return WORDS[value] || value;
    if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) return value.toExponential(1).replace('e+', 'e');
    return Math.abs(value) < 1e4 ? String(+value.toPrecision(4)) : Math.round(value).toLocaleString('en');
  };
  functions.tvInteger = value => value === null || value === undefined ? '–' : value.toLocaleString('en');
  functions.tvAgo = seconds => {
    if (seconds === null || seconds === undefined) return '';
    const s = Math.max(0, Date.now() / 1000 - seconds);
    return s < 60 ? 'just now' : s < 3600 ? `${Math.floor(s / 60)} min ago` : s < 86400 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} d ago`;
  };
  // A row that is still on its way has no data.
  const last = (run, metric) => run.last[metric] ? run.last[metric].value : null;
  const said = read => run => run ? read(run) : undefined;
  // A tag may have a comma, and is quoted where it is edited among others.
  const written = tag => /[",\\]|^\s|\s$/.test(tag) ? `"${tag.replace(/["\\]/g, '\\$&')}"` : tag;
  const read = text => [...text.matchAll(/\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)/g)].map(([, quoted, plain]) => (quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1')).trim());
  functions.tvRow = {
    name: said(run => run.name), status: said(run => run.status), spark: () => '', step: said(run => run.last_step), created: said(run => run.created_at),
    health: said(run => run.health === 100 && (run.little_known || run.status === 'failed' || run.status === 'lost') ? null : run.health),
    loss: said(run => last(run, run.loss)), findings: said(run => Object.values(run.open_findings).reduce((sum, count) => sum + count, 0)),
    tags: said(run => run.tags.map(written).join(', ')), memo: said(run => run.memo),
    setting: (run, name) => run && (run.settings[name] === undefined ? '–' : run.settings[name]), metric: (run, name) => run && last(run, name),
  };
  functions.tvWhole = value => value === null || value === undefined ? '' : String(value);
  // What is edited in place is told to the server by 31-runs.js.
  functions.tvSetTags = ({data, newValue}) => {
    const tags = [...new Set(read(newValue || '').filter(Boolean))], before = data.tags;
    const change = {tag: tags.filter(tag => !before.includes(tag)), untag: before.filter(tag => !tags.includes(tag))};
    if (!change.tag.length && !change.untag.length) return false;
    data.tags = tags;
    window.tvRuns.change([data.run_id], change);
    return true;
  };
  functions.tvSetMemo = ({data, newValue}) => {
    const memo = (newValue || '').trim();
    if (memo === data.memo) return false;
    data.memo = memo;
    window.tvRuns.change([data.run_id], {memo});
    return true;
  };

  // a run that is over is quiet for good: no clock need look at it
  const quietOf = run => run && (run.status === 'running' || run.status === 'lost') ? window.tvClocks.quiet(run) : undefined;
  const clock = at => at && window.tvClocks.show(at); // in the frame in which its row is drawn: a frame of its own costs as much as half a row

  cells.TvRun = props => {
    const run = props.data;
    if (!run) return h('span', {className: 'tv-cell-wait'});
    const href = `/runs/${encodeURIComponent(run.run_id)}`;
    const go = event => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      history.pushState({}, '', href);
      window.dispatchEvent(new CustomEvent('_dashprivate_pushstate'));
    };
    const dot = run.status === 'running' ? 'tv-dot' : run.status === 'failed' || run.status === 'lost' ? 'tv-dead' : '';
    return h('span', {className: 'tv-cell-run'}, h('i', {className: dot, 'data-quiet': quietOf(run), ref: clock}),
      h('span', {}, h('a', {href, onClick: go}, run.name), h('small', {}, [run.project, run.group, run.archived && 'archived'].filter(Boolean).join(' · '))));
  };
  const widths = new Map(), brush = document.createElement('canvas').getContext('2d');
  function tagWidth(tag) {
    if (!widths.has(tag)) {
      brush.font = `${TAG_TEXT_PX}px ${getComputedStyle(document.body).fontFamily}`;
      widths.set(tag, Math.min(TAG_MOST_PX, Math.ceil(brush.measureText(tag).width) + TAG_EDGES_PX));
    }
    return widths.get(tag);
  }
  cells.TvTags = props => {
    const tags = props.data ? props.data.tags : [];
    if (!tags.length) return props.data ? h('span', {className: 'tv-cell-add', 'data-word': 'Add tags'}) : null;
    const all = tags.map(written).join(', '), room = props.column.getActualWidth() - CELL_EDGES_PX, taken = many => tags.slice(0, many).reduce((before, tag) => before + tagWidth(tag) + TAGS_APART_PX, -TAGS_APART_PX);
    let many = tags.length;
    const more = () => many < tags.length ? TAGS_APART_PX + DIGIT_PX * `+${tags.length - many}`.length : 0;
    while (many > 1 && taken(many) + more() > room) many -= 1; // the last of them is cut, with an ellipsis, rather than none shown
    return h('span', {className: 'tv-cell-tags', role: 'img', 'aria-label': all, title: all}, tags.slice(0, many).map(tag => h('span', {key: tag, className: 'tv-tag'}, tag)),
      many < tags.length ? h('small', {}, `+${tags.length - many}`) : null);
  };
  cells.TvMemo = props => props.value ? h('span', {className: 'tv-cell-memo', title: props.value}, props.value) : props.data ? h('span', {className: 'tv-cell-add', 'data-word': 'Add a memo'}) : null;
  cells.TvStatus = props => {
    if (!props.data) return null;
    const quiet = quietOf(props.data), [tone, picture] = STATUS[props.value] || STATUS.stopped;
    return h('span', {className: 'tv-cell-status'}, h('span', {className: `tv-${tone}`}, icon(picture), props.value), quiet && h('small', {'data-quiet': quiet, ref: clock}));
  };
  cells.TvHealth = props => {
    if (!props.data) return null;
    if (props.value === null || props.value === undefined) return h('span', {className: 'tv-dim', title: props.data.health === 100 ? props.data.little_known ? 'Most rules have too little to go by' : 'No ill was found before it broke off' : 'Not judged yet'}, '–');
    const tone = props.value < 50 ? 'critical' : props.value < 80 ? 'warning' : 'ok';
    const [colour, picture] = tone === 'ok' ? ['ok', 'circle-check'] : GRAVITY[tone];
    return h('span', {className: `tv-pill tv-${colour}`}, icon(picture), props.value);
  };
  cells.TvFindings = props => {
    if (!props.data) return null;
    const found = props.data.open_findings, open = Object.keys(GRAVITY).filter(severity => found[severity]); // the gravest first
    if (!open.length) return h('span', {className: 'tv-dim'}, 'none');
    const all = open.map(severity => `${found[severity]} ${severity}`).join(', '), room = props.column.getActualWidth() - CELL_EDGES_PX;
    const wide = open.map(severity => MARK_PX + DIGIT_PX * String(found[severity]).length), sum = many => wide.slice(0, many).reduce((before, one) => before + one + MARKS_APART_PX, -MARKS_APART_PX);
    let many = open.length;
    const rest = () => open.slice(many).reduce((before, severity) => before + found[severity], 0), more = () => many < open.length ? MARKS_APART_PX + DIGIT_PX * `+${rest()}`.length : 0;
    while (many > 1 && sum(many) + more() > room) many -= 1;
    return h('span', {className: 'tv-cell tv-cell-marks', role: 'img', 'aria-label': all, title: all}, open.slice(0, many).map(severity =>
      h('span', {key: severity, className: `tv-${GRAVITY[severity][0]}`}, icon(GRAVITY[severity][1]), found[severity])), rest() ? h('small', {}, `+${rest()}`) : null);
  };
  // Means of what was finite; a loss that is NaN or infinite now ends in a cross, else its line would look well.
  cells.TvSpark = props => {
    if (!props.data) return null;
    const every = props.data.sparkline, width = 116, height = 28, good = every.filter(value => typeof value === 'number'), now = functions.tvRow.loss(props.data), isIll = typeof now === 'string';
    if (good.length < 2 && !isIll) return null;
    const low = Math.min(...good), span = Math.max(...good) - low || 1, end = isIll ? width - 14 : width - 1, lines = [[]];
    every.forEach((value, index) => { // what is not finite leaves a gap
      if (typeof value !== 'number') lines.push([]);
      else lines[lines.length - 1].push(`${(index / (every.length - 1 || 1) * (end - 1) + 1).toFixed(1)},${(height - 2 - (value - low) / span * (height - 5)).toFixed(1)}`);
    });
    const path = lines.filter(points => points.length > 1).map(points => `M${points.join(' ')}`).join('');
    if (!isIll) return h('svg', {className: 'tv-cell-spark', width, height, 'aria-hidden': true}, h('path', {d: path}));
    const word = `The loss is ${functions.tvNumber(now)} now`;
    const cross = h('path', {className: 'tv-cell-ill', d: `M${width - 10},${height / 2 - 4}l8,8m0,-8l-8,8`}), dashes = path ? null : h('path', {className: 'tv-cell-ill', strokeDasharray: '2 4', d: `M1,${height / 2}H${end - 2}`});
    return h('svg', {className: 'tv-cell-spark', width, height, role: 'img', 'aria-label': word}, h('title', {}, word), h('path', {d: path}), dashes, cross);
  };
  functions.tvGridTheme = agGrid => agGrid.themeQuartz.withParams({
    backgroundColor: 'var(--tv-surface)', foregroundColor: 'var(--tv-fg)', headerBackgroundColor: 'var(--tv-surface)', headerTextColor: 'var(--tv-fg-2)',
    headerFontWeight: 550, fontSize: 13, headerFontSize: 12, borderColor: 'var(--tv-line)', accentColor: 'var(--tv-accent)', rowHoverColor: 'var(--tv-surface-2)',
    selectedRowBackgroundColor: 'color-mix(in srgb, var(--tv-accent) 9%, transparent)', wrapperBorder: false, headerColumnBorder: false, columnBorder: false,
    fontFamily: 'inherit', spacing: 7, checkboxBorderRadius: 4,
  });
})();
