// The component of tables is a third of all scripts, and on one page: it is fetched when a table is to be drawn (there
// early.js has asked for it before), and stands in for itself until then. What Dash knows it by stays the same.
(() => {
  let whole = null, coming = null;
  const fetched = () => coming = coming || new Promise((done, failed) => {
    const onload = () => { whole = window.dash_ag_grid; window.dash_ag_grid = known; done(whole); };
    document.head.append(Object.assign(document.createElement('script'), {src: window.tvScripts.table, async: true, onload, onerror: failed}));
  });
  function AgGrid(props) {
    const [isHere, arrive] = React.useState(!!whole);
    React.useEffect(() => { isHere || fetched().then(() => arrive(true)); }, []);
    return isHere ? React.createElement(whole.AgGrid, props) : null;
  }
  const known = window.dash_ag_grid = {AgGrid, getApi: name => whole && whole.getApi(name), getApiAsync: async name => (await fetched()).getApiAsync(name)};
})();
