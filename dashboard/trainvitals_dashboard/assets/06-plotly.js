// Plotly is a large part of what a first picture takes: it is fetched and run while the server draws the page, not after
// it; on pages without charts when all is at rest, for the page that comes next.
(() => {
  const WITH_CHARTS = /^\/(runs\/.|compare)/, RESTS_MS = 2000;
  const isPlaced = url => document.querySelector(`script[src="${url}"]`);
  function run() {
    const url = window._dashPlotlyJSURL;
    if (!url || window.Plotly || isPlaced(url)) return;
    document.body.append(Object.assign(document.createElement('script'), {src: url, async: true}));
  }
  if (!WITH_CHARTS.test(location.pathname)) { addEventListener('load', () => setTimeout(run, RESTS_MS)); return; }
  // once there is a place for the page, Dash has asked for it
  const waits = new MutationObserver(() => document.getElementById('_pages_content') && (waits.disconnect(), setTimeout(run)));
  waits.observe(document.documentElement, {childList: true, subtree: true});
})();
