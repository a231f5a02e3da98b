// What goes with the table of runs: menus (help, groups, columns, views), the table of groups, what is done with chosen runs,
// and the word that says it is done and takes it back.
(() => {
  const TOAST_MS = 12000, UNDO_MS = 55000 /* the bin is emptied after 60 s */, HELD_MS = 1000, GROUPS_EVERY_MS = 10000, MOST_COMPARED = 40, MOST_LISTED = 200;
  const OWN = {status: 'Status', health: 'Health', findings: 'Findings', loss: 'Loss', spark: 'Loss over time', step: 'Step', tags: 'Tags', memo: 'Memo', created: 'Started'};
  const at = id => document.getElementById(id);
  const number = value => window.dashAgGridFunctions.tvNumber(value);
  const count = (many, what = 'run') => `${many.toLocaleString('en')} ${what}${many === 1 ? '' : 's'}`;
  function el(kind, props = {}, ...children) {
    const made = document.createElement(kind);
    for (const [name, value] of Object.entries(props)) {
      if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
      else if (name in made && name !== 'list') made[name] = value;
      else if (value !== null && value !== false) made.setAttribute(name, value);
    }
    made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
    return made;
  }
  // What is drawn anew leaves the focus on the control that had it, else on another than none.
  const keyOf = control => control.dataset.key || control.getAttribute('aria-label') || control.textContent;
  function draw(place, parts, otherwise = () => null) {
    const had = place.contains(document.activeElement) && document.activeElement !== place ? keyOf(document.activeElement) : null;
    place.replaceChildren(...parts);
    if (had === null) return;
    const again = [...place.querySelectorAll('a, button, input, select, summary')].find(control => keyOf(control) === had) || otherwise();
    if (again) again.focus({preventScroll: true});
  }
  const asking = panel => { if (!panel.children.length) panel.replaceChildren(el('p', {className: 'tv-sub'}, 'Asking…')); };
  const icon = (name, size = 15) => el('span', {className: 'tv-icon', style: `--i:url(/assets/icons/${name}.svg);width:${size}px;height:${size}px`, 'aria-hidden': 'true'});
  const asked = async path => { const answer = await fetch(path).catch(() => null); return answer && answer.ok ? answer.json() : null; };
  const columnsThere = () => asked(`/api/v1/columns?${new URLSearchParams({text: window.tvRuns.state().text})}`).then(found => found || {settings: [], metrics: [], tags: []});

  // ---- menus: one at a time, closed by Escape and by a click beside them
  const menus = () => [...document.querySelectorAll('details.tv-menu')];
  const close = (except = null) => menus().forEach(menu => { if (menu !== except) menu.open = false; });
  document.addEventListener('click', event => close(event.target.closest?.('details.tv-menu')));
  document.addEventListener('keydown', event => {
    const open = event.key === 'Escape' && menus().find(menu => menu.open);
    if (open) { close(); open.querySelector('summary').focus(); }
  });
  document.addEventListener('toggle', event => {
    const menu = event.target.closest?.('details.tv-menu[data-menu]');
    if (!menu || !menu.open) return;
    const panel = menu.querySelector('.tv-menu-p');
    FILL[menu.dataset.menu](panel);
  }, true);
  document.addEventListener('click', event => {
    const term = event.target.closest?.('[data-term]');
    if (!term) return;
    close();
    window.tvRuns.write(`${window.tvRuns.state().text} ${term.dataset.term}`.trim());
    at('runs-text').focus();
  });

  function filtered(placeholder, lines) { // a list with a box that narrows it: [[title, [[name, line], …]], …]
    const box = el('input', {className: 'tv-menu-i', placeholder, type: 'search', 'aria-label': placeholder}), list = el('div', {className: 'tv-menu-l'});
    const draw = () => {
      const wanted = box.value.trim().toLowerCase();
      list.replaceChildren(...lines.flatMap(([title, items]) => {
        const found = items.filter(([name]) => name.toLowerCase().includes(wanted));
        const more = found.length > MOST_LISTED ? [el('p', {className: 'tv-sub'}, `${found.length - MOST_LISTED} more: type a part of the name`)] : [];
        return found.length ? [title && el('h3', {className: 'tv-h3'}, title), ...found.slice(0, MOST_LISTED).map(([, line]) => line), ...more].filter(Boolean) : [];
      }));
      if (!list.children.length) list.append(el('p', {className: 'tv-sub'}, 'Nothing is called so.'));
    };
    box.addEventListener('input', draw);
    draw();
    return [box, list];
  }

  // ---- columns
  async function fillColumns(panel) {
    asking(panel);
    const there = await columnsThere();
    const line = (token, name, runs, isOwn) => {
      const chosen = window.tvRuns.state().columns, mark = isOwn ? `-${token}` : token;
      const box = el('input', {type: 'checkbox', checked: chosen.includes(mark) !== isOwn, onchange: () => {
        const now = window.tvRuns.state().columns;
        window.tvRuns.showColumns(now.includes(mark) ? now.filter(one => one !== mark) : [...now, mark]);
      }});
      return [name, el('label', {className: 'tv-menu-c', title: name}, box, el('span', {}, name), runs ? el('small', {}, runs.toLocaleString('en')) : null)];
    };
    const own = Object.entries(OWN).map(([token, name]) => line(token, name, 0, true));
    const settings = there.settings.map(({name, runs}) => line(`setting:${name}`, name, runs, false)), metrics = there.metrics.map(({name, runs}) => line(`metric:${name}`, name, runs, false));
    const [box, list] = filtered('Find a setting or metric', [['Settings', settings], ['Metrics, last value', metrics], ['Of every run', own]]);
    panel.replaceChildren(box, list);
    box.focus();
  }

  // ---- groups
  const KINDS = [['project', 'Project'], ['status', 'Status'], ['group', 'Group']];
  const nameOf = by => (KINDS.find(([kind]) => kind === by) || ['', by.replace(/^setting:/, '')])[1];
  let shown = []; // terms of the groups that are drawn
  async function fillGroup(panel) {
    asking(panel);
    const there = await columnsThere(), now = window.tvRuns.state().group;
    const line = (by, name, runs) => [name, el('button', {className: `tv-menu-b${by === now ? ' on' : ''}`, 'aria-pressed': String(by === now), onclick: () => { close(); groupBy(by); at('runs-menu-group').focus(); }}, el('span', {}, name), runs ? el('small', {}, runs.toLocaleString('en')) : null)];
    const first = [...(now ? [line('', 'No groups')] : []), ...KINDS.map(([by, name]) => line(by, name))];
    const [box, list] = filtered('Group by', [['', first], ['Settings', there.settings.map(({name, runs}) => line(`setting:${name}`, name, runs))]]);
    panel.replaceChildren(box, list);
    box.focus();
  }
  function groupBy(by) {
    window.tvRuns.turn('group', by);
    shown = [];
    drawGroups();
  }
  const without = (text, terms) => terms.reduce((left, term) => ` ${left} `.replace(` ${term} `, ' ').trim(), text);
  let drawing = 0;
  async function drawGroups() {
    const place = at('runs-groups');
    if (!place) return;
    const {group, of, text} = window.tvRuns.state(), mine = ++drawing, button = document.querySelector('#runs-menu-group > span:last-child');
    if (button) { button.textContent = group ? `By ${nameOf(group)}` : 'Group'; button.parentElement.classList.toggle('on', !!group); }
    if (!group) return draw(place, [], () => at('runs-menu-group'));
    const metric = of || 'loss';
    const found = await asked(`/api/v1/groups?${new URLSearchParams({by: group, metric, text: without(text, shown)})}`);
    if (mine !== drawing || !found || !place.isConnected) return;
    shown = found.groups.map(one => one.term);
    draw(place, [groupsCard(found, group, metric, text)], () => place.querySelector('select'));
  }
  function groupsCard(found, by, metric, text) {
    const lows = found.groups.flatMap(one => one.valued ? [one.low, one.high] : []), low = Math.min(...lows), span = Math.max(...lows) - low || 1;
    const part = value => `${(100 * (value - low) / span).toFixed(1)}%`;
    const rows = found.groups.map(one => {
      const isOn = ` ${text} `.includes(` ${one.term} `), name = one.value === null ? '(none)' : one.value === '' ? '(empty)' : one.value;
      const pick = () => window.tvRuns.write(isOn ? without(text, [one.term]) : `${without(text, shown)} ${one.term}`.trim());
      const bar = one.valued ? el('span', {className: 'tv-gr-bar', title: `${number(one.low)} to ${number(one.high)}`}, el('i', {style: `left:${part(one.low)};width:calc(${part(one.high)} - ${part(one.low)})`}), el('b', {style: `left:${part(one.median)}`})) : '';
      const link = (id, value, of) => id === null ? '–' : el('a', {'data-key': `${of} ${one.term}`, href: `/runs/${encodeURIComponent(id)}`, 'data-go': '', title: 'The run that reached it'}, number(value));
      // lowest, median and highest are of finite values alone, which is said where a run has none
      const of = one.valued < one.runs ? el('small', {className: 'tv-dim', title: `${one.valued.toLocaleString('en')} of ${count(one.runs)} ${one.valued === 1 ? 'has' : 'have'} a finite last value of ${metric}; the others have none, NaN or infinity, and are not counted`}, ` ${one.valued.toLocaleString('en')} of ${one.runs.toLocaleString('en')} finite`) : '';
      return el('tr', {className: isOn ? 'on' : ''},
        el('th', {scope: 'row'}, el('button', {'data-key': one.term, 'aria-pressed': String(isOn), title: isOn ? 'Show all runs again' : `Show only these: ${one.term}`, onclick: pick}, name)),
        el('td', {}, one.runs.toLocaleString('en'), one.running ? el('small', {className: 'tv-ok'}, ` ${one.running} running`) : ''),
        el('td', {}, link(one.lowest, one.low, 'lowest')), el('td', {}, one.valued ? number(one.median) : '–', of), el('td', {}, link(one.highest, one.high, 'highest')), el('td', {className: 'tv-gr-range'}, bar));
    });
    const of = el('select', {className: 'tv-gr-of', 'aria-label': 'Metric of the groups', onchange: event => { window.tvRuns.turn('of', event.target.value === 'loss' ? '' : event.target.value); drawGroups(); }}, el('option', {value: metric, selected: true}, metric));
    of.addEventListener('pointerdown', () => fillMetrics(of, metric), {once: true});
    of.addEventListener('focus', () => fillMetrics(of, metric), {once: true});
    const more = found.total > found.groups.length ? `, of which ${found.groups.length} are shown` : '';
    const head = el('div', {className: 'tv-head'},
      el('div', {className: 'tv-head-l'}, el('h2', {className: 'tv-h2'}, `By ${nameOf(by)}`), el('span', {className: 'tv-sub'}, `${count(found.total, 'group')}${more}`)),
      el('div', {className: 'tv-head-r'}, el('label', {className: 'tv-sub'}, 'Last value of ', of), el('button', {className: 'tv-x', title: 'No groups', 'aria-label': 'No groups', onclick: () => groupBy('')}, icon('x'))));
    const titles = [nameOf(by), 'Runs', 'Lowest', 'Median', 'Highest', 'From lowest to highest'];
    const table = el('table', {className: 'tv-gr'}, el('thead', {}, el('tr', {}, titles.map(title => el('th', {scope: 'col'}, title)))), el('tbody', {}, rows));
    return el('section', {className: 'tv-card', 'aria-label': `Groups by ${nameOf(by)}`}, head, el('div', {className: 'tv-gr-box'}, table));
  }
  async function fillMetrics(select, metric) {
    const there = await columnsThere(), names = [...new Set(['loss', metric, ...there.metrics.map(one => one.name)])];
    select.replaceChildren(...names.slice(0, 1000).map(name => el('option', {value: name, selected: name === metric}, name)));
  }

  // ---- views
  async function fillViews(panel) {
    asking(panel);
    const found = await asked('/api/v1/views'), views = found ? found.views : [], here = location.search.slice(1);
    const told = async (answer, not) => { // whether it is done; what the server says where it is not
      if (answer && answer.ok) return true;
      const problem = answer && await answer.json().catch(() => null);
      window.tvToast(problem && problem.detail ? `${not}: ${problem.detail}` : `${not}: the server does not answer.`);
      return false;
    };
    const save = async (name, query) => {
      const answer = await fetch('/api/v1/views', {method: 'PUT', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({name, query})}).catch(() => null);
      if (await told(answer, 'Not saved') && panel.isConnected) fillViews(panel);
    };
    const forget = async view => {
      const answer = await fetch(`/api/v1/views/${encodeURIComponent(view.name)}`, {method: 'DELETE'}).catch(() => null);
      if (await told(answer, 'Not deleted')) window.tvToast(`View “${view.name}” deleted.`, () => save(view.name, view.query));
      if (panel.isConnected) fillViews(panel);
    };
    const lines = views.map(view => el('div', {className: `tv-menu-v${view.query === here ? ' on' : ''}`},
      el('a', {href: `/?${view.query}`, 'data-go': '', onclick: () => close()}, view.name),
      el('button', {className: 'tv-x', title: `Delete the view ${view.name}`, 'aria-label': `Delete the view ${view.name}`, onclick: event => { event.stopPropagation(); forget(view); }}, icon('x', 13))));
    const name = el('input', {className: 'tv-menu-i', placeholder: 'Name of this view', 'aria-label': 'Name of this view', maxLength: 512, required: true});
    const form = el('form', {className: 'tv-menu-f', onsubmit: event => { event.preventDefault(); if (name.value.trim()) save(name.value.trim(), location.search.slice(1)); }}, name, el('button', {className: 'tv-button'}, 'Save'));
    const none = el('p', {className: 'tv-sub'}, 'Search, choose columns, sort or group; then save it here under a name. All who use this server see it.');
    draw(panel, [...(lines.length ? [el('a', {className: 'tv-menu-b', href: '/', 'data-go': '', onclick: () => close()}, 'All runs'), ...lines] : [none]), form], () => name);
  }
  const FILL = {columns: fillColumns, group: fillGroup, views: fillViews};

  // ---- what is done with chosen runs
  let ids = [];
  document.addEventListener('tv-runs-chosen', event => { ids = event.detail; drawChosen(); });
  function drawChosen() {
    const bar = at('runs-chosen');
    if (!bar) return;
    bar.classList.toggle('on', ids.length > 0);
    if (!ids.length) return bar.contains(document.activeElement) ? (bar.replaceChildren(), window.tvRuns.focusRows()) : bar.replaceChildren();
    const compared = ids.slice(0, MOST_COMPARED), runs = ids.map(window.tvRuns.runOf).filter(Boolean);
    const link = el('a', {id: 'compare-link', className: 'tv-button', 'data-go': '', href: `/compare?runs=${compared.map(encodeURIComponent).join(',')}`}, `Compare ${count(compared.length)}`);
    const act = (name, word, work) => el('button', {className: 'tv-chosen-b', onclick: work}, icon(name), el('span', {}, word));
    const isArchived = runs.length > 0 && runs.every(run => run.archived);
    const tags = el('details', {className: 'tv-menu tv-menu-up'}, el('summary', {className: 'tv-chosen-b'}, icon('tag'), el('span', {}, 'Tag')), el('div', {className: 'tv-menu-p'}));
    tags.addEventListener('toggle', () => tags.open && fillTags(tags.querySelector('.tv-menu-p'), runs));
    draw(bar, [el('b', {className: 'tv-num'}, `${ids.length.toLocaleString('en')} selected`), link, tags,
      act('archive', isArchived ? 'Unarchive' : 'Archive', () => put({archived: !isArchived}, {archived: isArchived}, isArchived ? 'taken out of the archive' : 'archived')),
      act('trash', 'Delete', () => put({deleted: true}, {deleted: false}, 'deleted')),
      el('button', {className: 'tv-x', title: 'Select none', 'aria-label': 'Select none', onclick: () => window.tvRuns.chooseNone()}, icon('x'))], () => tags.querySelector('summary'));
  }
  async function put(what, back, word) { // of a mixed choice only those are taken back that were not so before
    const these = ids, [[name, value]] = Object.entries(what), were = these.filter(id => (window.tvRuns.runOf(id) || {})[name] !== value);
    window.tvRuns.chooseNone();
    if (await window.tvRuns.change(these, what)) window.tvToast(`${count(these.length)} ${word}.`, () => were.length && window.tvRuns.change(were, back));
  }
  async function fillTags(panel, runs) {
    const there = await columnsThere(), now = [...new Set(runs.flatMap(run => run.tags))].sort();
    const known = el('datalist', {id: 'runs-tags'}, there.tags.map(({name}) => el('option', {value: name})));
    const name = el('input', {className: 'tv-menu-i', placeholder: 'Add a tag', 'aria-label': 'Add a tag', list: 'runs-tags', maxLength: 512});
    const act = async what => { close(); at('runs-chosen').querySelector('summary')?.focus(); await window.tvRuns.change(ids, what); drawChosen(); };
    const form = el('form', {className: 'tv-menu-f', onsubmit: event => { event.preventDefault(); if (name.value.trim()) act({tag: [name.value.trim()]}); }}, name, el('button', {className: 'tv-button'}, 'Add'));
    const gone = now.map(tag => el('button', {className: 'tv-tag', title: `Take ${tag} away`, onclick: () => act({untag: [tag]})}, tag, icon('x', 11)));
    panel.replaceChildren(form, known, ...(gone.length ? [el('h3', {className: 'tv-h3'}, 'Take away'), el('div', {className: 'tv-cell-tags'}, gone)] : []));
    name.focus();
  }

  // ---- what is done, and how to take it back
  let gone = 0;
  window.tvToast = (words, undo) => {
    const place = at('runs-toast');
    if (!place) return;
    clearTimeout(gone);
    const end = () => { const had = place.contains(document.activeElement); place.replaceChildren(); if (had) window.tvRuns.focusRows(); };
    const back = undo && el('button', {className: 'tv-toast-u', onclick: () => { end(); undo(); }}, 'Undo');
    place.replaceChildren(el('div', {}, el('span', {}, words), back, el('button', {className: 'tv-x', 'aria-label': 'Close', onclick: end}, icon('x', 13))));
    const over = () => { // not while somebody is about to take it back
      if (undo && place.querySelector(':hover, :focus')) gone = setTimeout(over, HELD_MS);
      else end();
    };
    gone = setTimeout(over, undo ? UNDO_MS : TOAST_MS);
  };
  document.addEventListener('tv-runs-begun', () => { shown = []; drawGroups(); });
  document.addEventListener('tv-runs-searched', drawGroups);
  document.addEventListener('tv-runs-changed', drawGroups);
  let waits = 0;
  document.addEventListener('tv-runs-news', () => {
    if (!waits && window.tvRuns.state().group) waits = setTimeout(() => { waits = 0; if (!at('runs-groups')?.contains(document.activeElement)) drawGroups(); }, GROUPS_EVERY_MS);
  });
})();
