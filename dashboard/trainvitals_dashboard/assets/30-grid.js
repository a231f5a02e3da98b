// Cells and values of the runs table. A row is a RunSummary as the wire has it.
(() => {
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const h = (...parts) => React.createElement(...parts);
  const icon = name => h('span', {className: 'tv-icon', style: {'--i': `url(/assets/icons/${name}.svg)`, width: 13, height: 13}});
  const STATUS = {running: ['ok', 'activity-heartbeat'], finished: ['info', 'circle-check'], stopped: ['fg-3', 'player-stop'], failed: ['crit', 'circle-x'], lost: ['warn', 'plug-off']};
  const GRAVITY = {critical: ['crit', 'alert-octagon'], warning: ['warn', 'alert-triangle'], info: ['info', 'info-circle']};
  const WORDS = {Infinity: '∞', '-Infinity': '−∞'};

  functions.tvNumber = value => {
    if (value === null || value === undefined) return '–';
    if (typeof value === 'string') return WORDS[value] || value;
    if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) return value.toExponential(1).replace('e+', 'e');
    return Math.abs(value) < 1e4 ? String(+value.toPrecision(4)) : Math.round(value).toLocaleString('en');
  };
  const rank = value => value === null || value === undefined ? 2 : value === 'NaN' ? 1 : 0;
  // what is no number comes last, whichever way one sorts
  functions.tvCompare = (a, b, nodeA, nodeB, descending) => {
    const apart = rank(a) - rank(b);
    if (apart || rank(a)) return descending ? -apart : apart;
    return +a === +b ? 0 : +a < +b ? -1 : 1;
  };
  functions.tvInteger = value => value === null || value === undefined ? '–' : value.toLocaleString('en');
  functions.tvAgo = seconds => {
    const s = Math.max(0, Date.now() / 1000 - seconds);
    return s < 60 ? 'just now' : s < 3600 ? `${Math.floor(s / 60)} min ago` : s < 86400 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} d ago`;
  };
  const loss = run => run.last[run.loss] ? run.last[run.loss].value : null;
  functions.tvRow = {
    name: run => [run.name, run.project, ...run.tags].join(' '), status: run => run.status, health: run => run.health === 100 && (run.little_known || run.status === 'failed' || run.status === 'lost') ? null : run.health, loss,
    findings: run => Object.values(run.open_findings).reduce((sum, count) => sum + count, 0),
    spark: () => '', step: run => run.last_step, created: run => run.created_at,
  };

  cells.TvRun = props => {
    const run = props.data, href = `/runs/${encodeURIComponent(run.run_id)}`;
    const go = event => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      history.pushState({}, '', href);
      window.dispatchEvent(new CustomEvent('_dashprivate_pushstate'));
    };
    const dot = run.status === 'running' ? 'tv-dot' : run.status === 'failed' || run.status === 'lost' ? 'tv-dead' : '';
    return h('span', {className: 'tv-cell-run'}, h('i', {className: dot, 'data-quiet': window.tvClocks.quiet(run)}),
      h('span', {}, h('a', {href, onClick: go}, run.name), h('small', {}, [run.project, ...run.tags].join(' · '))));
  };
  cells.TvStatus = props => {
    const [tone, picture] = STATUS[props.value] || STATUS.stopped;
    const quiet = window.tvClocks.quiet(props.data);
    React.useEffect(window.tvClocks.tick, [quiet]);
    return h('span', {className: 'tv-cell-status'}, h('span', {className: `tv-${tone}`}, icon(picture), props.value), h('small', {'data-quiet': quiet}));
  };
  cells.TvHealth = props => {
    if (props.value === null || props.value === undefined) return h('span', {className: 'tv-dim', title: props.data.health === 100 ? props.data.little_known ? 'Most rules have too little to go by' : 'No ill was found before it broke off' : 'Not judged yet'}, '–');
    const tone = props.value < 50 ? 'critical' : props.value < 80 ? 'warning' : 'ok';
    const [colour, picture] = tone === 'ok' ? ['ok', 'circle-check'] : GRAVITY[tone];
    return h('span', {className: 'tv-cell'}, h('span', {className: `tv-pill tv-${colour}`}, icon(picture), props.value));
  };
  cells.TvFindings = props => {
    const open = Object.entries(props.data.open_findings).filter(([, count]) => count);
    if (!open.length) return h('span', {className: 'tv-dim'}, 'none');
    return h('span', {className: 'tv-cell'}, open.map(([severity, count]) =>
      h('span', {key: severity, className: `tv-${GRAVITY[severity][0]}`, title: `${count} ${severity}`}, icon(GRAVITY[severity][1]), count)));
  };
  cells.TvSpark = props => {
    const every = props.data.sparkline, width = 116, height = 28, good = every.filter(value => typeof value === 'number');
    if (good.length < 2) return null;
    const low = Math.min(...good), span = Math.max(...good) - low || 1, lines = [[]];
    every.forEach((value, index) => { // what is not finite leaves a gap
      if (typeof value !== 'number') lines.push([]);
      else lines[lines.length - 1].push(`${(index / (every.length - 1) * (width - 2) + 1).toFixed(1)},${(height - 2 - (value - low) / span * (height - 5)).toFixed(1)}`);
    });
    return h('span', {className: 'tv-cell'}, h('svg', {width, height, 'aria-hidden': true}, lines.map((points, key) =>
      h('polyline', {key, points: points.join(' '), fill: 'none', stroke: 'var(--tv-s1)', strokeWidth: 1.5, strokeLinejoin: 'round'}))));
  };
  functions.tvGridTheme = agGrid => agGrid.themeQuartz.withParams({
    backgroundColor: 'var(--tv-surface)', foregroundColor: 'var(--tv-fg)', headerBackgroundColor: 'var(--tv-surface)', headerTextColor: 'var(--tv-fg-2)',
    headerFontWeight: 550, fontSize: 13, headerFontSize: 12, borderColor: 'var(--tv-line)', accentColor: 'var(--tv-accent)', rowHoverColor: 'var(--tv-surface-2)',
    selectedRowBackgroundColor: 'color-mix(in srgb, var(--tv-accent) 9%, transparent)', wrapperBorder: false, headerColumnBorder: false, columnBorder: false,
    fontFamily: 'inherit', spacing: 7, checkboxBorderRadius: 4,
  });

  // A phone shows what one came for: the run, its health, its loss.
  const WIDE = ['status', 'findings', 'spark', 'step', 'created'], narrow = matchMedia('(max-width: 767px)');
  const fit = () => document.getElementById('runs-grid') && dash_ag_grid.getApiAsync('runs-grid').then(grid => grid.setColumnsVisible(WIDE, !narrow.matches));
  narrow.addEventListener('change', fit);
  let fitted = null;
  new MutationObserver(() => {
    const grid = document.querySelector('#runs-grid .ag-root');
    if (grid && grid !== fitted) { fitted = grid; if (narrow.matches) fit(); }
  }).observe(document.documentElement, {childList: true, subtree: true});
})();
