// Searching the table of runs: at once among the rows that are there, and, where these are not all, on the server, whose
// answers join them. Rows are added and never replaced, so that a choice of runs outlives a search.
(() => {
  const SETTLES_MS = 250, LIMIT = 500;
  let timer = 0, wanted = '';
  const say = words => window.dash_clientside.set_props('runs-count', {children: words});
  async function ask(text) {
    const answer = await fetch(`/api/v1/runs?limit=${LIMIT}&text=${encodeURIComponent(text)}`).catch(() => null);
    if (!answer || !answer.ok || wanted !== text) return; // the banner says what is wrong
    const found = await answer.json(), all = found.total.toLocaleString('en');
    window.tvLive.showRows(found.runs);
    say(found.runs.length < found.total ? `newest ${found.runs.length} of ${all} that match` : `${all} ${found.total === 1 ? 'run matches' : 'runs match'}`);
  }
  window.dash_clientside.trainvitals.search = (text, all) => {
    wanted = (text || '').trim();
    dash_ag_grid.getApiAsync('runs-grid').then(grid => grid.setGridOption('quickFilterText', wanted));
    remember('text', text);
    clearTimeout(timer);
    if (all) wanted ? timer = setTimeout(ask, SETTLES_MS, wanted) : say(all);
    return window.dash_clientside.no_update;
  };
})();
