// The page on paper: in light colours, without what one clicks on, plots as wide as the paper, with address and date (23-charts.css).
// Asked for in the page's menu, all charts are drawn first; by the browser's own menu those that are there are printed.
(() => {
  const DRAWN_WITHIN_MS = 15000, LOOK_EVERY_MS = 150, SCHEME = 'data-mantine-color-scheme';
  const root = document.documentElement, {make} = window.tvCharts;
  const head = make('div', 'tv-printed', '', {'aria-hidden': 'true'}), address = make('span', '', ''), date = make('span', '', '');
  head.append(address, date);
  const PAPER_PX = 700, ACROSS_PX = 1000, NARROW_FROM_PX = 740; // of A4 and of Letter, without their margins
  const across = make('style', '', '@page{size:landscape}'); // for a table of many columns
  let before = null;
  const plots = () => [...document.querySelectorAll('.js-plotly-plot')].filter(plot => plot._fullLayout && plot.offsetParent);

  function prepare() {
    if (before) return;
    const grids = [...document.querySelectorAll('#runs-grid')].map(grid => [grid, grid.offsetWidth]), paper = grids.length ? ACROSS_PX : PAPER_PX;
    before = {scheme: root.getAttribute(SCHEME), undo: []};
    address.textContent = window.tvCharts.addressOf(null);
    date.textContent = `printed ${new Date().toLocaleString(undefined, {dateStyle: 'long', timeStyle: 'short'})}`;
    document.body.prepend(head);
    if (grids.length) document.head.append(across);
    root.style.setProperty('--tv-paper', `${paper}px`);
    root.classList.add('tv-print');
    root.setAttribute(SCHEME, 'light'); // 10-theme.js paints heatmaps by it
    for (const rule of narrow()) change(rule.media, 'mediaText', 'all'); // as paper is, so that plots are measured as they will stand
    const tables = wide(); // before all is unrolled
    for (const [grid, width] of grids) if (width > paper) { change(grid.style, 'width', `${width}px`); change(grid.style, 'zoom', paper / width); } // made anew it would come too late
    for (const list of rolled()) { change(list.style, 'maxHeight', 'none'); change(list.style, 'overflow', 'visible'); }
    for (const [table, share] of tables) change(table.style, 'zoom', share);
    fit();
  }
  function change(owner, name, value) {
    const old = owner[name];
    before.undo.push(() => { owner[name] = old; });
    owner[name] = value;
  }
  const narrow = () => [...document.styleSheets].filter(sheet => !sheet.href || sheet.href.startsWith(location.origin)).flatMap(sheet => [...sheet.cssRules])
    .filter(rule => rule instanceof CSSMediaRule && Number((/max-width: *(\d+)px/.exec(rule.media.mediaText) || [])[1]) >= NARROW_FROM_PX);
  const scrolled = (isIt, way) => [...document.querySelectorAll('.tv-page :is(div, ul, ol, pre)')].filter(one => isIt(one) && !one.closest('.ag-root-wrapper, .tv-chart') && /auto|scroll/.test(getComputedStyle(one)[way]));
  const rolled = () => scrolled(one => one.scrollHeight > one.clientHeight + 1, 'overflowY');
  const wide = () => scrolled(one => one.scrollWidth > one.clientWidth + 1 && one.firstElementChild, 'overflowX').map(one => [one.firstElementChild, one.clientWidth / one.scrollWidth]);
  function fit() { // now, for the browser waits for nobody; a plot's own way to follow its box takes a moment
    for (const plot of plots()) {
      const {width, height} = (plot.parentElement || plot).getBoundingClientRect();
      if (width && Math.abs(width - plot._fullLayout.width) > 1) window.Plotly.relayout(plot, {width: Math.floor(width), height: Math.floor(height)});
    }
  }
  function restore() {
    if (!before) return;
    root.classList.remove('tv-print');
    root.setAttribute(SCHEME, before.scheme);
    head.remove(); across.remove();
    root.style.removeProperty('--tv-paper');
    before.undo.reverse().forEach(undo => undo());
    before = null;
    for (const plot of plots()) if (plot.layout.width) window.Plotly.relayout(plot, {width: undefined, height: undefined, autosize: true});
  }
  window.addEventListener('beforeprint', prepare);
  window.addEventListener('afterprint', restore);

  // Charts are drawn, and grow, where they are seen. Made small, all of the page is.
  const undrawn = () => [...document.querySelectorAll('.tv-mc')].some(place => place.checkVisibility() && !place.querySelector('.js-plotly-plot'));
  window.tvPrint = async () => {
    root.classList.add('tv-drawing');
    window.tvCharts.say('Drawing all charts …');
    const late = performance.now() + DRAWN_WITHIN_MS;
    try {
      do await new Promise(done => setTimeout(done, LOOK_EVERY_MS));
      while (performance.now() < late && (undrawn() || window.tvLive.stats().pending));
    } finally { root.classList.remove('tv-drawing'); }
    window.print();
  };
})();
