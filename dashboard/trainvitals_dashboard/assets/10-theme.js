// Repaints heatmaps when the colour scheme changes: everything else follows by CSS. Scales come from theme.py.
(() => {
  const scheme = () => document.documentElement.getAttribute('data-mantine-color-scheme') || 'light';
  function paint(plot) {
    (plot.data || []).forEach((trace, index) => {
      const kind = trace.meta && trace.meta.tv;
      const wanted = kind && JSON.stringify(window.tvScales[kind][scheme()]);
      if (wanted && JSON.stringify(trace.colorscale) !== wanted) Plotly.restyle(plot, {colorscale: [JSON.parse(wanted)]}, [index]);
    });
  }
  const all = () => document.querySelectorAll('.js-plotly-plot').forEach(plot => plot._fullLayout && paint(plot));
  new MutationObserver(all).observe(document.documentElement, {attributes: true, attributeFilter: ['data-mantine-color-scheme']});
  const watched = new WeakSet();
  new MutationObserver(() => document.querySelectorAll('.js-plotly-plot').forEach(plot => {
    if (watched.has(plot) || !plot.on || !plot._fullLayout) return;
    watched.add(plot);
    paint(plot);
    plot.on('plotly_afterplot', () => paint(plot));
  })).observe(document.documentElement, {childList: true, subtree: true});
})();
