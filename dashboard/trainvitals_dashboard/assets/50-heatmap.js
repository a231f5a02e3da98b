// Heatmaps hold logarithms, and people read values; a click on a cell opens its layer: in the drawer, or on the page of all layers its own page.
(() => {
  const isHeat = point => point.data.type === 'heatmap' && point.data.meta;
  // plotly writes its own text at every move of the pointer
  function sayValues(plot, layer) {
    const [cell] = plot._hoverdata || [], {tv, power} = cell ? plot.data[cell.curveNumber].meta || {} : {};
    const lines = layer.querySelectorAll('.hovertext text.nums tspan.line'), last = lines[lines.length - 1];
    if (!cell || !last || power !== 10 || tv === 'nonfinite') return;
    const said = cell.z <= -38 ? '0' : window.dashAgGridFunctions.tvNumber(10 ** cell.z);
    if (last.textContent !== said) last.textContent = said;
  }
  const open = (plot, layer) => plot.closest('#g-heat') ? window.tvAsk('layer', layer) : window.tvLayers.go(layer);
  const watched = new WeakSet();
  new MutationObserver(() => document.querySelectorAll('#g-heat .js-plotly-plot, #g-layers-heat .js-plotly-plot').forEach(plot => {
    const layer = plot.querySelector('.hoverlayer');
    if (plot.on && !watched.has(plot)) {
      watched.add(plot);
      plot.on('plotly_click', event => isHeat(event.points[0]) && open(plot, event.points[0].y));
    }
    if (layer && !watched.has(layer)) {
      watched.add(layer);
      new MutationObserver(() => sayValues(plot, layer)).observe(layer, {childList: true, subtree: true, characterData: true});
    }
  })).observe(document.documentElement, {childList: true, subtree: true});
})();
