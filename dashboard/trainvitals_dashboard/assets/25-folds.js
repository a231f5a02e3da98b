// What people unfolded stays unfolded when a card is drawn anew: Dash mounts what a callback returns as new elements.
window.tvFolds = (() => {
  const chosen = new Map();
  document.addEventListener('click', event => {
    const summary = event.target.closest?.('summary'), control = event.target.closest?.('a, button');
    if (control && summary?.contains(control)) return;  // a link in the line leads on, and folds nothing
    const fold = summary && event.target.closest('details[data-fold]');
    if (fold) chosen.set(fold.dataset.fold, !fold.open);  // a click folds only after its listeners ran
  }, true);
  new MutationObserver(() => chosen.size && document.querySelectorAll('details[data-fold]').forEach(fold => {
    const open = chosen.get(fold.dataset.fold);
    if (open !== undefined && fold.open !== open) fold.open = open;
  })).observe(document.documentElement, {childList: true, subtree: true});
  return {chosen: fold => chosen.get(fold)};
})();
