// Plain links within the dashboard (a[data-go]) do not load it anew; a click on a line that has such a link (data-goes) is
// a click on the link. Middle and modified clicks are the browser's.
(() => {
  window.tvGo = href => {
    history.pushState({}, '', href);
    window.dispatchEvent(new CustomEvent('_dashprivate_pushstate'));
    scrollTo(0, 0);
  };
  document.addEventListener('click', event => {
    if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const at = event.target.closest?.('a, button, [data-goes]'), link = at?.matches('[data-goes]') ? at.querySelector('a[data-go]') : at;
    if (!link?.matches('a[data-go]') || (link !== at && getSelection().toString())) return;
    event.preventDefault();
    window.tvGo(link.getAttribute('href'));
  });
})();
