// The steps in view, of all charts of a run's overview at once (pages/zoom.py); in the address they are `steps=100-200`.
(() => {
  const no = () => window.dash_clientside.no_update;
  function asked(events) { // what a chart was zoomed to, if it was
    const event = events.find(one => one && ('xaxis.range[0]' in one || one['xaxis.autorange']));
    if (!event) return null;
    if (event['xaxis.autorange']) return {};
    const [low, high] = [event['xaxis.range[0]'], event['xaxis.range[1]']].map(Number), first = Math.max(0, Math.floor(low));
    return {first, last: Math.max(first + 1, Math.ceil(high))};
  }
  function ofAddress() {
    const [, first, last] = (new URL(location.href).searchParams.get('steps') || '').match(/^(\d{1,15})-(\d{1,15})$/) || [];
    return Number(first) < Number(last) ? {first: Number(first), last: Number(last)} : null;
  }
  function say({first, last}) {
    const button = document.getElementById('zoomed'), isZoomed = first !== undefined;
    if (!button) return;
    button.hidden = !isZoomed;
    button.textContent = isZoomed ? `Steps ${first.toLocaleString('en')} to ${last.toLocaleString('en')} ✕` : '';
    button.title = button.ariaLabel = isZoomed ? `${button.textContent.slice(0, -2)}: show all steps` : '';
  }
  window.dash_clientside.trainvitals.zoomed = (...args) => {
    const now = args.pop(), events = window.dash_clientside.callback_context.triggered.map(one => one.value);
    const zoom = asked(events) || (now ? null : ofAddress());
    if (!zoom || JSON.stringify(zoom) === JSON.stringify(now || {})) return no();
    remember('steps', zoom.first === undefined ? null : `${zoom.first}-${zoom.last}`);
    say(zoom);
    return zoom;
  };
  // a chart that was zoomed into by hand says in its corner how to see all again, until it shows all
  const heard = new WeakSet();
  new MutationObserver(() => document.querySelectorAll('.js-plotly-plot').forEach(plot => {
    if (!plot.on || heard.has(plot)) return;
    heard.add(plot);
    plot.on('plotly_relayout', event => { if ('xaxis.range[0]' in event) plot.toggleAttribute('data-zoomed', true); });
    plot.on('plotly_afterplot', () => { if (plot._fullLayout?.xaxis?.autorange !== false) plot.toggleAttribute('data-zoomed', false); });
  })).observe(document.documentElement, {childList: true, subtree: true});
  document.addEventListener('click', event => {
    if (!event.target.closest?.('#zoomed')) return;
    remember('steps', null);
    say({});
    window.dash_clientside.set_props('zoom', {data: {}});
  });
})();
