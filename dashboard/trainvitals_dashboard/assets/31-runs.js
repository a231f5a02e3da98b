// The table of runs: its rows are asked for as they come into view and kept fresh by the live feed. How it is looked at is
// in the page's address: text, columns, sort, group and of. Menus and what is done with chosen runs: 32-runs-menus.js.
window.tvRuns = (() => {
  const AT_ONCE = 100, SETTLES_MS = 220, REFRESH_EVERY_MS = 2000, SEARCHED_ANEW_EVERY_MS = 10000, HEARD_FOR_MS = 20000, NEWEST = '-created';
  const NARROW = ['name', 'health', 'loss']; // a phone shows what one came for
  const narrow = matchMedia('(max-width: 767px)');
  let grid = null, come = null, begun = false, state = {}, first = null, total = 0, asked = 0, timer = 0, left = null;
  const heardOf = new Map(); // run → the last news of it, and when
  const announced = new Map(); // run → whether it was archived: what has come and is not among the rows, which were asked for anew
  const at = id => document.getElementById(id);
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const throttled = (work, every) => {
    let waiting = 0, last = 0;
    return () => { if (!waiting) waiting = setTimeout(() => { waiting = 0; last = Date.now(); work(); }, Math.max(0, last + every - Date.now())); };
  };

  // ---- how it is looked at
  const PARTS = ['text', 'sort', 'group', 'of'];
  function look() {
    const query = new URLSearchParams(location.search);
    const found = Object.fromEntries(PARTS.map(name => [name, query.get(name) || '']));
    const columns = (query.get('columns') || '').split(',').filter(Boolean).map(name => name.replace(/%2C/gi, ',').replace(/%25/g, '%'));
    const sorted = found.sort.replace(/^-/, ''), isAdded = /^(setting|metric):./.test(sorted); // what is sorted by is shown, as runs_look.py has it
    return {...found, sort: found.sort || NEWEST, columns: [...columns.filter(name => name !== `-${sorted}`), ...(isAdded && !columns.includes(sorted) ? [sorted] : [])]};
  }
  function turn(part, value) {
    state[part] = value;
    const kept = part === 'columns' ? value.map(name => name.replace(/[%,]/g, encodeURIComponent)).join(',') : part === 'sort' && value === NEWEST ? '' : value;
    remember(part, kept);
    return kept;
  }
  function showColumns(columns) {
    set('runs-columns', {data: turn('columns', columns)});
    refreshNow();
  }

  // ---- rows
  function address(from, sort, limit = AT_ONCE) {
    const query = new URLSearchParams({text: state.text, sort_by: sort.replace(/^-/, ''), descending: sort.startsWith('-'), offset: from, limit});
    state.columns.filter(name => name.startsWith('setting:')).forEach(name => query.append('setting', name.slice('setting:'.length)));
    return `/api/v1/runs?${query}`;
  }
  const sortOf = ([model]) => model ? (model.sort === 'desc' ? '-' : '') + model.colId : NEWEST;
  const source = () => ({getRows: async params => {
    const sort = sortOf(params.sortModel);
    if (sort !== state.sort) turn('sort', sort);
    const known = first;
    first = null;
    const give = (found, since) => { params.successCallback(fresh(found.runs, since), told(found.total)); setTimeout(comeBack); };
    if (known && params.startRow === 0 && known.text === state.text && known.sort === sort) return give(known, known.began || 0);
    const {text} = state, began = performance.now();
    const answer = await fetch(address(params.startRow, sort)).catch(() => null); // the banner says what is wrong
    if (text !== state.text || !answer || !answer.ok) return params.failCallback();
    give(await answer.json(), began);
  }});
  // where the table is scrolled to goes with the step of the browser's history that it is of, and Back finds it there
  const keep = () => { if (!left && isThere()) history.replaceState({...history.state, tvRow: grid.getVerticalPixelRange().top / grid.getGridOption('rowHeight'), tvY: scrollY}, ''); };
  function comeBack() { // when it has as many rows as it had
    if (!left) return;
    const {tvRow, tvY} = left;
    if (isThere() && tvRow) grid.ensureIndexVisible(Math.min(Math.round(tvRow), grid.getDisplayedRowCount() - 1), 'top');
    if (tvY) scrollTo(0, tvY);
    left = null;
  }
  addEventListener('scrollend', keep);
  // rows are as old as their way was long: what was told of them meanwhile is newer
  const fresh = (rows, since) => rows.map(row => {
    const {row: news, heard} = heardOf.get(row.run_id) || {};
    return news && heard >= since && !news.deleted && news.archived === row.archived ? {...news, settings: {...row.settings, ...news.settings}} : row;
  });
  function told(count) {
    total = count;
    const runs = count === 1 ? '1 run' : `${count.toLocaleString('en')} runs`;
    set('runs-count', {children: state.text ? `${runs} ${count === 1 ? 'matches' : 'match'}` : runs});
    if (at('runs-rows')) at('runs-rows').style.setProperty('--rows', count);
    if (at('runs-none')) at('runs-none').textContent = count ? '' : state.text ? 'No run matches.' : 'No run is left here. Those that are archived are found by is:archived.';
    return count;
  }
  // ``data``: what the page came with; ``asked``: what the grid asks of the source that Dash gives it when it is ready,
  // which would replace one that is given earlier
  async function begin(data, asked) {
    if (!data) return;
    if (data !== come) {
      left = history.state || {};
      come = data;
      begun = false;
      state = look();
      first = data.refused ? null : data;
      announced.clear();
      told(data.total);
    }
    if (!asked || begun) return;
    begun = true;
    grid = await dash_ag_grid.getApiAsync('runs-grid');
    const sorted = state.sort.replace(/^-/, ''), way = state.sort.startsWith('-') ? 'desc' : 'asc';
    if (!grid.getColumnState().some(column => column.colId === sorted && column.sort === way)) grid.applyColumnState({state: [{colId: sorted, sort: way}], defaultState: {sort: null}});
    grid.setGridOption('datasource', source());
    for (const [event, take] of [['selectionChanged', chosen], ['newColumnsLoaded', fit], ['columnResized', marks], ['bodyScrollEnd', keep]]) { grid.removeEventListener(event, take); grid.addEventListener(event, take); }
    fit();
    chosen();
    if (data.refused) ask();
    document.dispatchEvent(new CustomEvent('tv-runs-begun'));
  }
  const isThere = () => grid && !grid.isDestroyed() && at('runs-grid');
  function fit() {
    if (!isThere()) return;
    const wide = grid.getColumns().map(column => column.getColId()).filter(name => !NARROW.includes(name) && !name.startsWith('ag-Grid'));
    grid.setColumnsVisible(wide, !narrow.matches);
  }
  const marks = ({finished}) => { if (finished && isThere()) grid.refreshCells({columns: ['findings', 'tags'], force: true}); }; // as many as fit
  narrow.addEventListener('change', fit);

  // ---- searching
  function search(typed) {
    const text = (typed || '').trim();
    if (!state.sort || text === state.text) return;
    turn('text', text);
    clearTimeout(timer);
    timer = setTimeout(ask, SETTLES_MS);
  }
  async function ask() {
    const mine = ++asked, {text, sort} = state, began = performance.now();
    const answer = await fetch(address(0, sort)).catch(() => null);
    if (mine !== asked || text !== state.text || !answer || !isThere()) return;
    const found = await answer.json().catch(() => null);
    if (answer.status === 422) return say(found, text);
    if (!answer.ok) return;
    say(null);
    first = {...found, text, sort, began};
    grid.setGridOption('datasource', source());
    document.dispatchEvent(new CustomEvent('tv-runs-searched'));
  }
  function say(problem, text) { // what of the search is not understood, and where
    if (problem) { // nothing was counted
      set('runs-count', {children: 'Not searched'});
      if (at('runs-none')) at('runs-none').textContent = '';
    }
    const place = problem && problem.place, box = at('runs-said'), letters = [...text || '']; // the server counts characters, and no halves of an emoji
    if (!box) return;
    const part = (from, to) => letters.slice(from, to).join('');
    const parts = place ? [part(0, place[0]), Object.assign(document.createElement('mark'), {textContent: part(...place)}), part(place[1])] : [];
    const code = document.createElement('code'), words = document.createElement('span');
    code.append(...parts);
    words.textContent = problem ? problem.detail[0].toUpperCase() + problem.detail.slice(1) : '';
    box.replaceChildren(...(problem ? [code, words] : []));
    const input = at('runs-text');
    input.toggleAttribute('data-wrong', !!problem);
    input.setAttribute('aria-invalid', !!problem);
  }
  function write(text) { // as if it were typed
    set('runs-text', {value: text});
    search(text);
  }

  // ---- what comes while one looks
  function take(rows) {
    const heard = performance.now();
    heardOf.forEach((news, run) => { if (news.heard < heard - HEARD_FOR_MS) heardOf.delete(run); });
    rows.forEach(row => heardOf.set(row.run_id, {row, heard}));
    if (!isThere()) return;
    for (const row of rows) {
      const node = grid.getRowNode(row.run_id), before = node && node.data;
      if (before && !row.deleted && row.archived === before.archived) {
        node.setData({...row, settings: {...before.settings, ...row.settings}});
        if (state.text) searchAnew(); // it may match no more
      } else if (before || row.deleted) {
        if (announced.delete(row.run_id) || before) refresh(); // and again when it is taken back
      } else if (announced.get(row.run_id) !== row.archived) {
        announced.set(row.run_id, row.archived);
        seek();
      } else if (state.text) searchAnew(); // it may match now
    }
    document.dispatchEvent(new CustomEvent('tv-runs-news'));
  }
  function refreshNow() { if (isThere()) grid.refreshInfiniteCache(); }
  async function seekNow() { // most that come are of runs further down, for which no block of rows need be asked for anew
    if (!isThere()) return;
    const answer = await fetch(address(0, state.sort, 1)).catch(() => null);
    if (!isThere()) return;
    if (!answer || !answer.ok) { announced.clear(); return; } // news of them asks again
    const found = await answer.json(), top = grid.getDisplayedRowAtIndex(0);
    if (found.total !== total || (found.runs[0] && found.runs[0].run_id) !== (top && top.id)) refreshNow();
  }
  const refresh = throttled(refreshNow, REFRESH_EVERY_MS), seek = throttled(seekNow, REFRESH_EVERY_MS), searchAnew = throttled(refreshNow, SEARCHED_ANEW_EVERY_MS);

  // ---- what people do
  async function change(runIds, what) {
    const body = JSON.stringify({run_ids: runIds, ...what});
    const answer = await fetch('/api/v1/runs', {method: 'PATCH', headers: {'Content-Type': 'application/json'}, body}).catch(() => null);
    const found = answer && await answer.json().catch(() => null);
    if (!answer || !answer.ok) {
      window.tvToast(found && found.detail ? `Not changed: ${found.detail}` : 'Not changed: the server does not answer.');
      refreshNow();
      return false;
    }
    if (isThere()) for (const row of found.runs) {
      const node = grid.getRowNode(row.run_id);
      if (node && node.data) node.setData({...row, settings: {...node.data.settings, ...row.settings}});
    }
    if ('archived' in what || 'deleted' in what) refreshNow();
    document.dispatchEvent(new CustomEvent('tv-runs-changed'));
    return true;
  }
  const chosenNodes = () => isThere() ? grid.getSelectedNodes() : [];
  const chosen = () => document.dispatchEvent(new CustomEvent('tv-runs-chosen', {detail: chosenNodes().map(node => node.id)}));
  const runOf = id => { const node = isThere() && grid.getRowNode(id); return node && node.data; };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.runs = {
    begin: (data, asked) => { begin(data, asked); return window.dash_clientside.no_update; },
    search: text => { search(text); return window.dash_clientside.no_update; },
  };
  return {
    take, forget: () => heardOf.clear(), refresh, change, write, turn, showColumns, runOf, state: () => state, total: () => total,
    focusRows: () => { if (isThere()) grid.setFocusedCell(grid.getFirstDisplayedRowIndex(), 'name'); },
    chooseNone: () => { if (isThere()) grid.deselectAll(); },
  };
})();
