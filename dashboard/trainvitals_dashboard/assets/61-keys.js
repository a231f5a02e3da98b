// Keys for who knows the way: none of them does what cannot be done by a click, and none is heard while one types.
(() => {
  const SEARCHES = '#runs-text, #layers-text, #metrics-text, #settings-text, #rules-text', THEN_WITHIN_MS = 1200;
  const PLACES = {r: '/', u: '/rules'};
  const SAID = [['/', 'Search on this page'], ['1 … 8', 'Pages of the run, from Overview to Notes'], ['g r', 'All runs'], ['g u', 'Rules'],
    ['t', 'Dark or light'], ['Esc', 'Close what is open'], ['?', 'These keys']];
  let begun = 0; // when g was pressed

  const isTyping = at => at.closest?.('input, textarea, select, [contenteditable=true]');
  const tabs = () => [...document.querySelectorAll('.tv-tabs a[data-go]')];
  function help() {
    const box = Object.assign(document.createElement('dialog'), {className: 'tv-keys', onclose: () => box.remove(), onclick: event => event.target === box && box.close()});
    const list = document.createElement('dl'), make = (tag, text) => Object.assign(document.createElement(tag), {textContent: text});
    SAID.forEach(([keys, what]) => {
      const term = document.createElement('dt');
      term.append(...keys.split(' ').map(key => make(key === '…' ? 'span' : 'kbd', key)));
      list.append(term, make('dd', what));
    });
    box.setAttribute('aria-label', 'Keys');
    box.append(make('h2', 'Keys'), list, Object.assign(make('button', 'Close'), {type: 'button', className: 'tv-button', onclick: () => box.close()}));
    box.querySelector('h2').className = 'tv-h2';
    document.body.append(box);
    box.showModal();
  }
  function act(key) { // whether it is one of these
    const place = begun && performance.now() - begun < THEN_WITHIN_MS ? PLACES[key] : null;
    begun = key === 'g' ? performance.now() : 0;
    if (place) { window.tvGo(place); return true; }
    const search = key === '/' && [...document.querySelectorAll(SEARCHES)].find(box => box.offsetParent), tab = key >= '1' && key <= '9' && tabs()[key - 1];
    if (search) { search.focus(); search.select(); return true; }
    if (tab) { window.tvGo(tab.getAttribute('href')); return true; }
    if (key === 't') { document.getElementById('scheme')?.click(); return true; }
    if (key === '?') { help(); return true; }
    return false;
  }
  document.addEventListener('click', event => event.target.closest?.('#keys-told') && help());
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented || isTyping(event.target)) return;
    if (document.querySelector('dialog[open], [role=dialog][aria-modal=true]') || document.documentElement.hasAttribute('data-embed')) return;
    if (act(event.key)) event.preventDefault();
  });
})();
