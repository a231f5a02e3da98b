// The page that compares runs: its choices in the address, its list of runs as the plots' legend.
(() => {
  const MOST_RUNS = 40, THEIR_LOSS = '*'; // comparing.py, parts/compare_head.py
  const nothing = () => window.dash_clientside.no_update;
  const query = () => new URLSearchParams(location.search);
  function keep(changes) {
    const now = query();
    for (const [key, value] of Object.entries(changes)) value ? now.set(key, value) : now.delete(key);
    const search = now.toString().replaceAll('%2C', ',');
    if (`?${search}` !== location.search) history.replaceState(history.state, '', `${location.pathname}${search && '?'}${search}${location.hash}`);
  }
  const asked = () => Object.fromEntries(query());
  const SLOWER_EVERY_MS = 20000; // what costs more than curves, as a heatmap of all layers does
  let sent = null, slowly = 0, slower = 0;
  // what was asked last, as long as it is unanswered: the page shows what was there before
  const unanswered = live => sent && sent.body === document.getElementById('compare-body') && sent.live === JSON.stringify(live) ? sent : null;

  window.dash_clientside.compare = {
    choose: (runs, metric, baseline, live) => {
      const chosen = runs || [], named = metric === THEIR_LOSS ? '' : metric || '';
      // deleted runs are no choice, and stay in the address until another choice is made
      const now = unanswered(live) || {runs: live.alive.join(), metric: live.metric, base: live.baseline};
      const isSame = chosen.join() === now.runs;
      const base = chosen.includes(baseline) ? baseline : chosen[0] || '';
      keep({runs: isSame ? asked().runs : chosen.join(','), metric: named, baseline: base === chosen[0] ? '' : base});
      if (isSame && named === now.metric && base === now.base) return nothing();
      sent = {body: document.getElementById('compare-body'), live: JSON.stringify(live), runs: chosen.join(), metric: named, base};
      return asked();
    },
    alive: (alive, live) => { // one was deleted: columns, colours and the baseline are others
      if (alive.join() !== live.alive.join()) window.dash_clientside.set_props('compare-asked', {data: {...asked(), at: Date.now()}});
      return nothing();
    },
    slower: () => {
      if (!slower) slower = setTimeout(() => {
        slower = 0; slowly = Date.now();
        if (document.getElementById('g-compare')) window.dash_clientside.set_props('compare-slower', {data: slowly});
      }, Math.max(0, slowly + SLOWER_EVERY_MS - Date.now()));
      return nothing();
    },
    curves: (kind, smooth, log) => {
      const by = (window.dash_clientside.callback_context.triggered[0] || {}).prop_id || '';
      document.getElementById('compare-smoothed')?.toggleAttribute('hidden', !smooth);
      window.dash_clientside.set_props('compare-log', {disabled: kind === 'difference'});
      keep({show: kind === 'difference' ? kind : '', smooth: smooth ? '' : '0', ...(by.startsWith('compare-log') ? {log: log ? '1' : '0'} : {})});
      return nothing();
    },
    pair: stat => { keep({stat}); return nothing(); },
    numbers: told => { tell(told); return nothing(); },
    table: (table, outcomes) => { drawTable(table, outcomes); return nothing(); },
    outcomes: (setting, outcome) => { keep({setting, outcome: outcome === 'last' ? '' : outcome}); return nothing(); },
  };

  // ---- the table of settings: parts/compare_settings.py
  const make = (tag, properties, ...inside) => { const made = Object.assign(document.createElement(tag), properties); made.append(...inside); return made; };
  function drawTable({runs, base, kinds}, outcomes) {
    const at = document.getElementById('compare-settings');
    if (!at) return;
    const heads = runs.map((run, place) => {
      const key = make('i', {className: 'tv-cmp-sw'}), link = make('a', {href: run.href, title: run.name}, run.name);
      for (const [name, value] of Object.entries(run.key)) key.style.setProperty(name, value);
      const column = make('div', {className: 'tv-cmp-col'}, key, link);
      if (place === base) column.append(make('span', {className: 'tv-cmp-base'}, 'baseline'));
      return make('th', {scope: 'col'}, column);
    });
    const row = (name, cells) => make('tr', {}, make('th', {scope: 'row', title: name}, name), ...cells);
    const told = outcomes.map(([name, every]) => row(name, every.map(one => make('td', {}, typeof one === 'string' ? one : pill(one)))));
    const bodies = kinds.map(kind => make('tbody', {},
      make('tr', {className: 'tv-cmp-kind'}, make('th', {scope: 'rowgroup', colSpan: runs.length + 1}, kind.name)),
      ...kind.rows.map(([name, words]) => row(name, words.map((word, place) => make('td',
        {title: word === null ? 'not set' : word, className: place !== base && word === words[base] ? 'tv-dim' : ''}, word === null ? '–' : word)))),
      ...(kind.more.length ? [make('tr', {}, make('td', {colSpan: runs.length + 1, className: 'tv-cmp-more'}, `${kind.more.length} more: ${kind.more.join(', ')}`))] : [])));
    const left = at.scrollLeft;
    at.replaceChildren(make('table', {className: 'tv-cmp-table'}, make('thead', {}, make('tr', {}, make('th', {scope: 'col'}, 'Setting'), ...heads)), make('tbody', {}, ...told), ...bodies));
    at.scrollLeft = left;
  }
  function pill({word, token, picture, title}) {
    const icon = make('span', {className: 'tv-icon'});
    icon.style.cssText = `--i:url(/assets/icons/${picture}.svg);width:13px;height:13px`;
    return make('span', {className: `tv-pill tv-${token}`, title}, icon, make('span', {}, word));
  }
  document.addEventListener('click', event => { // within the page, as Dash's own links
    const link = event.target.closest?.('#compare-settings a');
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState({}, '', link.getAttribute('href'));
    window.dispatchEvent(new CustomEvent('_dashprivate_pushstate'));
  });

  // ---- the list of runs: its rows stay while their numbers change, and with them the focus
  function tell(told) {
    for (const row of document.querySelectorAll('[data-compare-run]')) {
      const numbers = told && told[row.dataset.compareRun];
      if (numbers) row.querySelectorAll('.tv-num').forEach((at, index) => { if (at.textContent !== numbers[index]) at.textContent = numbers[index]; });
    }
  }
  function show(row) { // and once more after each drawing, for a figure may have been asked for before the click
    const plot = document.querySelector('#g-compare .js-plotly-plot'), isShown = row.getAttribute('aria-pressed') !== 'false';
    const traces = ((plot && plot.data) || []).flatMap((trace, index) => (trace.uid || '').endsWith(`-run${row.dataset.comparePlace}`) && (trace.visible !== false) !== isShown ? [index] : []);
    if (traces.length) Plotly.restyle(plot, {visible: isShown}, traces);
  }
  const watched = new WeakSet();
  function watch() {
    for (const plot of document.querySelectorAll('#g-compare .js-plotly-plot, #g-scatter .js-plotly-plot, #g-parallel .js-plotly-plot')) {
      if (watched.has(plot) || !plot.on) continue;
      watched.add(plot);
      plot.on('plotly_afterplot', () => { document.querySelectorAll('[data-compare-run]').forEach(show); point(pointed); });
    }
  }
  function point(place) {
    watch();
    for (const trace of document.querySelectorAll('#g-compare g.trace, #g-scatter g.trace, #g-parallel g.trace')) {
      const names = [...trace.classList].filter(name => /-run\d+$/.test(name));
      trace.classList.toggle('tv-cmp-faint', place !== null && names.length > 0 && !names.some(name => name.endsWith(`-run${place}`)));
    }
  }
  document.addEventListener('click', event => {
    const row = event.target.closest?.('[data-compare-run]');
    if (!row) return;
    row.setAttribute('aria-pressed', String(row.getAttribute('aria-pressed') !== 'true'));
    watch();
    show(row);
    const hidden = [...document.querySelectorAll('[data-compare-run][aria-pressed=false]')].map(one => one.dataset.compareRun);
    keep({hidden: hidden.join(',')});
    window.dash_clientside.set_props('compare-hidden', {data: hidden});
  });
  let pointed = null;
  for (const kind of ['pointerover', 'focusin', 'pointerout', 'focusout']) {
    document.addEventListener(kind, event => {
      const isOver = kind === 'pointerover' || kind === 'focusin', row = isOver ? event.target.closest?.('[data-compare-place]') : null;
      const place = row ? row.dataset.comparePlace : null;
      if (place === pointed) return;
      pointed = place;
      point(place);
    });
  }
})();
