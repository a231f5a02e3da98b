// Plotly is a large part of what a first picture takes: it is fetched and run while the server draws the page, not after
// it; on pages without charts when all is at rest, for the page that comes next. Dash asks for it by a script of its own
// as soon as a chart is there: one that is on its way is left to that.
(() => {
  const WITH_CHARTS = /^\/(runs\/.|compare)/, RESTS_MS = 2000;
  const append = (at, tag, props) => at.append(Object.assign(document.createElement(tag), props));
  function fetchAndRun() {
    const url = window._dashPlotlyJSURL, isPlaced = () => window.Plotly || document.querySelector(`script[src="${url}"]`);
    if (!url || isPlaced()) return;
    append(document.head, 'link', {rel: 'preload', as: 'script', href: url, onload: () => isPlaced() || append(document.body, 'script', {src: url, async: true})});
  }
  if (!WITH_CHARTS.test(location.pathname)) { addEventListener('load', () => setTimeout(fetchAndRun, RESTS_MS)); return; }
  // once there is a place for the page, Dash has asked for it
  const waits = new MutationObserver(() => document.getElementById('_pages_content') && (waits.disconnect(), setTimeout(fetchAndRun)));
  waits.observe(document.documentElement, {childList: true, subtree: true});
})();
