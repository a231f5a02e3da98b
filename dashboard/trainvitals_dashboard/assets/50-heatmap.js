// Heatmaps hold logarithms, and people read values; a click on a cell opens its layer.
(() => {
  const isHeat = point => point.data.type === 'heatmap' && point.data.meta;
  function sayValue(plot, point) {
    const {live} = plot.layout.meta || {};
    if (!isHeat(point) || point.data.meta.tv === 'nonfinite' || !live || !live.log) return;
    const lines = plot.querySelectorAll('.hoverlayer .hovertext text.nums tspan.line');
    const last = lines[lines.length - 1];
    if (last) last.textContent = point.z <= -38 ? '0' : window.dashAgGridFunctions.tvNumber(10 ** point.z);
  }
  const watched = new WeakSet();
  new MutationObserver(() => document.querySelectorAll('#g-heat .js-plotly-plot').forEach(plot => {
    if (watched.has(plot) || !plot.on) return;
    watched.add(plot);
    plot.on('plotly_hover', event => sayValue(plot, event.points[0]));
    plot.on('plotly_click', event => isHeat(event.points[0]) && window.tvAskLayer(event.points[0].y));
  })).observe(document.documentElement, {childList: true, subtree: true});
})();
