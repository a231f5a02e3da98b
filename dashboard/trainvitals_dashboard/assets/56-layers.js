// The pages of layers: the newest numbers in the table, and above the charts of one layer (42-crosshair.js).
window.tvLayers = (() => {
  const NUMBERS_EVERY_MS = 1000, UNNAMED = '(model)';  // as in parts/addresses.py
  const {number, show} = window.tvCrosshair;

  function go(layer) {
    const quoted = encodeURIComponent(layer).replace(/[!'()*]/g, sign => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
    window.tvGo(`${location.pathname.replace(/\/$/, '')}/${quoted || UNNAMED}`);
  }

  // ---- the newest snapshot
  let newest = null, waiting = 0;
  document.addEventListener('tv-update', ({detail: update}) => {
    if (!(update.layer_steps || []).length) return;
    newest = {...update, of: window.tvLive.run()};
    if (!waiting) waiting = setTimeout(() => { waiting = 0; write(newest); window.tvCrosshair.say(); }, NUMBERS_EVERY_MS);
  });
  function write({layers, layer_steps: steps, stats, of}) {
    const told = document.getElementById('layers-step'), table = document.querySelector('#layers-table table');
    if (!told || !table || table.dataset.run !== of) return; // people may have gone to another run
    told.textContent = `step ${steps[steps.length - 1].toLocaleString('en')}`;
    const first = (steps.length - 1) * layers.length, at = new Map(layers.map((name, index) => [name, first + index]));
    const value = (stat, place) => stats[stat] ? number(stats[stat][place]) : undefined;
    for (const line of document.querySelectorAll('[data-snap]')) {
      const place = at.get(line.dataset.snap);
      if (place === undefined) continue;
      for (const cell of line.querySelectorAll('[data-stat]')) {
        const stat = cell.dataset.stat, now = value(stat, place);
        cell.classList.toggle('tv-old', now === undefined); // not part of the feed: until the table is asked for anew
        cell.title = now === undefined ? `of step ${table.dataset.step}` : '';
        if (now === undefined) continue;
        // NaN stands for what a layer does not have, too: where there was a number, one was lost
        const text = Number.isNaN(now) && cell.textContent === '–' ? '–' : show(now);
        if (cell.textContent !== text) cell.textContent = text;
      }
    }
  }

  window.dash_clientside.trainvitals.layersChosen = (stat, text, order) => {
    remember('stat', stat);
    remember('text', (text || '').trim());
    remember('order', order === 'model' ? null : order);
    return window.dash_clientside.no_update;
  };
  return {go};
})();
