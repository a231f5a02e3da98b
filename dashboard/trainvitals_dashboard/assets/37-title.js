// The browser's title of a run's pages: how the run does, the page, the run. Dash knows only the run's id when it writes its own.
// And the tab of the page that is open is seen where not all of them are.
window.tvTitle = (() => {
  const MARKS = {running: '▶', finished: '✓', failed: '✗', stopped: '■', lost: '?'}, CRITICAL = '⚠', DASH_WROTE_MS = 100;
  let run = null;
  function page() {
    const [, layer] = location.pathname.match(/^\/runs\/[^/]+\/layers\/(.+)$/) || [];
    const tab = document.querySelector('.tv-tab.on');
    return layer ? decodeURIComponent(layer) : tab ? tab.textContent : '';
  }
  function write() {
    if (!run) return;
    const mark = (run.open_findings || {}).critical ? CRITICAL : MARKS[run.status] || '';
    const title = [`${mark} ${page()}`.trim(), run.name, 'trainvitals'].join(' · ');
    if (document.title !== title) document.title = title;
  }
  function of({name, shown}) { // the page's own words; a page of no run has none
    run = name ? {name, status: shown[0], open_findings: shown[3]} : null;
    if (run) setTimeout(write, DASH_WROTE_MS);
    const tab = document.querySelector('.tv-tab.on');
    if (tab) tab.parentElement.scrollLeft = tab.offsetLeft + tab.offsetWidth / 2 - tab.parentElement.clientWidth / 2;
  }
  function told({status, open_findings}) { // while one looks
    if (!run) return;
    Object.assign(run, {status, open_findings});
    write();
  }
  return {of, told};
})();
