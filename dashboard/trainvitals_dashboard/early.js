// Asked for while Dash's scripts are still being read: what they ask for as soon as they run, which is their layout,
// their callbacks and the content of the page, and Plotly where there are charts. Dash is handed the answers as it asks;
// whatever it asks otherwise goes its usual way.
(() => {
  const CONTENT = '_pages_content.children', TITLE = '_pages_store.data', AT = ['_pages_location.pathname', '_pages_location.search'];
  const HEADERS = {Accept: 'application/json', 'Content-Type': 'application/json'};
  const property = name => ({id: name.split('.')[0], property: name.split('.')[1]});
  const content = {
    output: `..${CONTENT}...${TITLE}..`, outputs: [CONTENT, TITLE].map(property),
    inputs: [location.pathname, location.search].map((value, index) => ({...property(AT[index]), value})),
    changedPropIds: AT, parsedChangedPropsIds: AT,
  };
  const usual = window.fetch, waiting = new Map();
  const known = (address, body) => `${new URL(address, location.href).pathname} ${body || ''}`;
  function ask(path, body) {
    const answer = usual(path, body ? {method: 'POST', headers: HEADERS, body} : {headers: HEADERS});
    answer.catch(() => {}); // told to who is handed it
    waiting.set(known(path, body), answer);
  }
  window.fetch = (address, options) => {
    const name = typeof address === 'string' && known(address, options && options.body), answer = waiting.get(name);
    if (!answer) return usual(address, options);
    waiting.delete(name);
    if (!waiting.size) window.fetch = usual;
    return answer.catch(() => usual(address, options));
  };
  ask('/_dash-update-component', JSON.stringify(content));
  ask('/_dash-layout');
  ask('/_dash-dependencies');

  // Text that is laid out before its fonts are there waits for the system to name others; there is none for so long.
  const SLOW_MS = 500;
  setTimeout(() => document.documentElement.classList.add('tv-slow'), SLOW_MS);

  // Plotly is the largest part of a first picture; on pages without charts it comes when all is at rest, for the page
  // that is next. Dash would fetch it once more while it is on its way, but waits for whatever bears the name.
  const {plotly, graph, table} = window.tvScripts, WITH_CHARTS = /^\/(runs\/.|compare)/, RESTS_MS = 2000;
  const add = (tag, props) => document.head.append(Object.assign(document.createElement(tag), props));
  function fetchAndRun() {
    if (window.Plotly) return;
    window.Plotly = new Promise((onload, onerror) => add('script', {src: plotly, async: true, fetchPriority: 'high', onload, onerror}));
    window.Plotly.catch(() => {});
    add('link', {rel: 'preload', as: 'script', href: graph});
  }
  if (location.pathname === '/') add('link', {rel: 'preload', as: 'script', href: table}); // assets/06-table.js
  WITH_CHARTS.test(location.pathname) ? fetchAndRun() : addEventListener('load', () => setTimeout(fetchAndRun, RESTS_MS));
})();
