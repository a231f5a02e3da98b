// Menus of saving and sharing: of a chart, from its corner, and of the page, from the header (parts/chart_menu.py). Nothing is
// done before one is opened. What is made of a chart is 52-chart-export.js's, a page for paper 54-print.js's.
window.tvCharts = (() => {
  const COPIED_MS = 4000, GAP_PX = 4, EDGE_PX = 8, FOUND_WITHIN_MS = 30000, HELD_MS = 8000, EMBED_HEIGHT_PX = 360;
  const KEEP_OPEN = 'data-mantine-stop-propagation'; // else Escape, which closes a menu, closes the drawer below it, too
  let menu = null, opener = null;
  const make = (tag, className, text, attributes = {}) => {
    const element = Object.assign(document.createElement(tag), {className, textContent: text});
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    return element;
  };

  // ---- what a chart is
  const keyOf = chart => chart.dataset.chart || `metric:${chart.dataset.metric}`;
  const plotOf = chart => { const plot = chart.querySelector('.js-plotly-plot'); return plot && plot._fullLayout ? plot : null; };
  const all = () => [...document.querySelectorAll('[data-chart], .tv-mc')];
  const find = key => all().find(chart => keyOf(chart) === key) || null;
  const nameOf = chart => ((plotOf(chart) || {}).layout || {}).meta?.chart || chart.querySelector('[role=img]').getAttribute('aria-label') || chart.dataset.metric;
  function place() { // the run, and its layer where the page is of one; the page's title where it is of no run
    const crumbs = [...document.querySelectorAll('.tv-crumbs > span:not(.tv-slash)')].map(part => part.textContent).slice(1);
    return crumbs.length ? crumbs.join(' · ') : (document.querySelector('h1') || {}).textContent || 'trainvitals';
  }
  const titleOf = chart => `${place()} · ${nameOf(chart)}`;

  // ---- links
  function addressOf(chart) { // the page as it is, its choices in the query; of a chart, where it stands
    const url = new URL(location.href);
    url.searchParams.delete('embed');
    url.hash = chart ? encodeURIComponent(keyOf(chart)) : '';
    return url.href.replace(/#$/, '');
  }
  function embedCode(chart) {
    const url = new URL(location.href), frame = make('iframe', '', '', {});
    url.hash = '';
    url.searchParams.set('embed', keyOf(chart));
    Object.entries({src: url.href, title: titleOf(chart), width: '100%', height: EMBED_HEIGHT_PX, loading: 'lazy', style: 'border:0'}).forEach(([name, value]) => frame.setAttribute(name, value));
    return frame.outerHTML;
  }

  // ---- what happened, seen and heard
  const said = make('div', 'tv-csaid', '', {role: 'status', 'aria-live': 'polite'});
  let fades = 0;
  function say(text, isTrouble = false) {
    if (!said.isConnected) document.body.append(said);
    clearTimeout(fades);
    said.textContent = '';
    requestAnimationFrame(() => { said.textContent = text; }); // the same words are said again
    said.classList.toggle('tv-csaid-bad', isTrouble);
    fades = setTimeout(() => { said.textContent = ''; }, COPIED_MS);
  }
  async function copy(text, what) {
    try {
      await navigator.clipboard.writeText(text); // there is none over http but on this machine
      say(`${what} copied`);
    } catch { offer(text, what); }
  }
  function offer(text, what) { // to be copied by hand
    const box = make('dialog', 'tv-copybox', '', {'aria-label': what}), field = make('textarea', '', '', {readonly: '', rows: 3, 'aria-label': what, [KEEP_OPEN]: 'true'});
    field.value = text;
    const close = make('button', 'tv-button', 'Close', {type: 'button', [KEEP_OPEN]: 'true'}), told = make('p', 'tv-sub', '');
    box.append(make('h2', 'tv-h2', what), told, field, close);
    close.onclick = () => box.close();
    box.onclose = () => box.remove();
    document.body.append(box);
    box.showModal();
    field.focus(); field.select();
    const isCopied = document.execCommand('copy'); // old, and all that there is here
    told.textContent = isCopied ? 'Copied. It is here, too:' : 'This browser lets no page copy here. It is selected: press Ctrl+C, or ⌘C.';
    say(isCopied ? `${what} copied` : told.textContent);
  }
  const safely = work => Promise.resolve().then(work).catch(error => say(error.message || 'That did not work', true));

  // ---- the menu
  const ofChart = chart => {
    const plot = plotOf(chart), exports = window.tvExport, title = titleOf(chart), none = !plot;
    const file = `${place()}-${chart.dataset.metric || nameOf(chart)}`;
    return [
      {word: 'Image', more: 'PNG, twice the size', none, act: () => exports.png(chart, plot, title, file)},
      {word: 'Drawing', more: 'SVG', none, act: () => exports.svg(chart, plot, title, file)},
      {word: 'Points', more: none ? 'CSV' : `CSV: ${exports.told(chart, plot)}`, none, act: () => exports.csv(chart, plot)},
      null,
      {word: 'Copy link', act: () => copy(addressOf(chart), 'Link')},
      {word: 'Copy embed code', more: 'this chart alone, live', act: () => copy(embedCode(chart), 'Embed code')},
    ];
  };
  const ofPage = () => [
    {word: 'Copy link', more: 'with what is chosen', act: () => copy(addressOf(null), 'Link')},
    {word: 'Print', more: 'all charts, in light colours', act: () => window.tvPrint()},
  ];
  function open(button) {
    close();
    const chart = button.closest('[data-chart], .tv-mc'), isChart = button.dataset.menu === 'chart';
    const items = isChart ? ofChart(chart) : ofPage();
    opener = button;
    menu = make('div', 'tv-cmenu', '', {role: 'menu', 'aria-label': button.getAttribute('aria-label')});
    items.forEach(item => menu.append(item ? entry(item) : make('div', 'tv-cmenu-line', '', {role: 'separator'})));
    // within the drawer, beside which nothing can be reached, or the page's main part
    (button.closest('[role=dialog]') || document.querySelector('main') || document.body).append(menu);
    stand();
    button.setAttribute('aria-expanded', 'true');
    step(0);
    for (const [kind, act] of LISTENED) window.addEventListener(kind, act, true);
  }
  function entry({word, more, none, act}) {
    const item = make('button', 'tv-cmenu-item', '', {type: 'button', role: 'menuitem', tabindex: -1, [KEEP_OPEN]: 'true'});
    item.append(make('span', '', word), ...(more ? [make('small', '', more)] : []));
    if (none) item.setAttribute('aria-disabled', 'true');
    else item.onclick = () => { close(true); safely(act); };
    return item;
  }
  function stand() { // below its button, within the window
    if (!opener.isConnected) return close();
    const at = opener.getBoundingClientRect(), {width, height} = menu.getBoundingClientRect();
    const left = Math.max(EDGE_PX, Math.min(at.right - width, document.documentElement.clientWidth - width - EDGE_PX));
    const below = at.bottom + GAP_PX, top = below + height > innerHeight - EDGE_PX ? Math.max(EDGE_PX, at.top - GAP_PX - height) : below;
    Object.assign(menu.style, {left: `${left}px`, top: `${top}px`});
    const now = menu.getBoundingClientRect(); // what moves by a transform holds what is fixed within it
    if (Math.abs(now.left - left) + Math.abs(now.top - top) > 1) Object.assign(menu.style, {left: `${2 * left - now.left}px`, top: `${2 * top - now.top}px`});
  }
  function close(isBack = false) {
    if (!menu) return;
    for (const [kind, act] of LISTENED) window.removeEventListener(kind, act, true);
    menu.remove();
    opener.setAttribute('aria-expanded', 'false');
    if (isBack) opener.focus();
    menu = opener = null;
  }
  const entries = () => [...menu.querySelectorAll('[role=menuitem]')];
  function step(to) {
    const every = entries();
    every[(to + every.length) % every.length].focus();
  }
  const KEYS = {ArrowDown: at => at + 1, ArrowUp: at => at - 1, Home: () => 0, End: () => -1};
  function press(event) {
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault(); event.stopPropagation();
      return close(true);
    }
    if (!KEYS[event.key] || !menu.contains(event.target)) return;
    event.preventDefault(); event.stopPropagation();
    step(KEYS[event.key](entries().indexOf(document.activeElement)));
  }
  const LISTENED = [['keydown', press], ['scroll', () => stand()], ['resize', () => stand()], ['popstate', () => close()],
    ['pointerdown', event => menu.contains(event.target) || opener.contains(event.target) || close()]];
  document.addEventListener('click', event => {
    const button = event.target.closest?.('button[data-menu]');
    if (button) button === opener ? close(true) : open(button);
  });
  document.addEventListener('keydown', event => {
    const button = event.key === 'ArrowDown' && event.target.closest?.('button[data-menu]');
    if (button && button !== opener) { event.preventDefault(); open(button); }
  });

  // ---- a link to a chart leads to it, once it is there
  function awaited(key, then, none = () => {}) {
    const look = () => { const chart = find(key); if (chart) { stop(); then(chart); } return chart; };
    const watch = new MutationObserver(look), stop = () => { watch.disconnect(); clearTimeout(late); };
    const late = setTimeout(() => { watch.disconnect(); none(); }, FOUND_WITHIN_MS);
    if (!look()) watch.observe(document.documentElement, {childList: true, subtree: true});
  }
  function lead() {
    let key = '';
    try { key = decodeURIComponent(location.hash.slice(1)); } catch { return; } // an address that was cut off leads to no chart
    if (key) awaited(key, chart => {
      const group = chart.closest('details');
      if (group) group.open = true;
      // what stands above grows while it is drawn; whoever moves on is not held
      const watch = new ResizeObserver(() => chart.isConnected && chart.scrollIntoView({block: 'center'})), stop = () => watch.disconnect();
      watch.observe(document.body);
      chart.scrollIntoView({block: 'center'});
      for (const kind of ['wheel', 'pointerdown', 'keydown', 'touchmove']) window.addEventListener(kind, stop, {once: true, passive: true});
      setTimeout(stop, HELD_MS);
      chart.classList.add('tv-pointed');
      setTimeout(() => chart.classList.remove('tv-pointed'), 3000);
    });
  }
  lead();
  window.addEventListener('hashchange', lead);
  function openerOf(name) { // as parts/chart_menu.py makes it, for charts that are made here
    const button = make('button', 'tv-more-of tv-more-of-chart', '', {type: 'button', title: 'Save or share', 'data-menu': 'chart', 'aria-label': `Save or share: ${name}`, 'aria-haspopup': 'menu', 'aria-expanded': 'false'});
    const icon = make('span', 'tv-icon', '', {'aria-hidden': 'true'});
    icon.style.cssText = '--i:url(/assets/icons/dots.svg);width:16px;height:16px';
    button.append(icon);
    return button;
  }
  return {awaited, find, titleOf, addressOf, plotOf, make, say, place, opener: openerOf};
})();
