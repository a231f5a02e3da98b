// ?embed=CHART shows that chart alone, live, for the page of another site or a wiki (docs/sharing.md). The page is drawn as always:
// what is neither the chart nor around it is not displayed, so that 40-live.js does not draw it.
(() => {
  const key = new URLSearchParams(location.search).get('embed');
  if (!key) return;
  const LOOK_EVERY_MS = 1000;
  const root = document.documentElement, {make} = window.tvCharts;
  root.setAttribute('data-embed', '');
  const caption = make('a', 'tv-embed-caption', 'trainvitals', {target: '_blank', rel: 'noopener', title: 'Open in trainvitals'});
  let shownKey = '';
  function mark(chart) {
    document.querySelectorAll('[data-embedded]').forEach(other => other.removeAttribute('data-embedded'));
    chart.setAttribute('data-embedded', '');
    const group = chart.closest('details');
    if (group) group.open = true;
    window.dispatchEvent(new Event('resize')); // plots are drawn anew in their new size
    tell(chart);
  }
  function tell(chart) {
    const url = new URL(location.href);
    url.searchParams.delete('embed');
    url.hash = encodeURIComponent(key);
    caption.href = url.href;
    const title = window.tvCharts.titleOf(chart);
    if (caption.textContent !== title) caption.textContent = title;
    const plot = window.tvCharts.plotOf(chart), fresh = plot && window.tvExport.keyDrawing(chart, plot);
    if (!fresh || fresh.outerHTML === shownKey) return;
    shownKey = fresh.outerHTML;
    document.querySelectorAll('.tv-embed-key').forEach(old => old.remove());
    caption.after(fresh);
    window.dispatchEvent(new Event('resize'));
  }
  function start() {
    document.body.append(caption);
    window.tvCharts.awaited(key, chart => {
      mark(chart);
      // a part of the page that is drawn anew has a chart of its own
      setInterval(() => {
        const now = window.tvCharts.find(key);
        if (now) now.hasAttribute('data-embedded') ? tell(now) : mark(now);
      }, LOOK_EVERY_MS);
    }, () => document.body.append(make('p', 'tv-embed-none', 'There is no such chart. It may have been of a run, a metric or a layer that is gone.', {role: 'status'})));
  }
  document.body ? start() : document.addEventListener('DOMContentLoaded', start);
})();
