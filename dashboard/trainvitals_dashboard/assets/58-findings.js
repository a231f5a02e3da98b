// The page of findings: a click on a finding, here or in what stands beside, chooses it; lanes are drawn anew while one looks,
// and the focus stays where it was.
window.tvFindings = (() => {
  const SINGLE_COLUMN = '(max-width:1000px)';
  const lanes = () => [...document.querySelectorAll('.tv-lane[data-finding]')];
  let focused = null, wanted = null, shown = null;

  // what is done is done about the finding that is shown, which is another until the chosen one has come
  function waits() {
    const place = document.getElementById('lane-buttons'), isAnother = !!wanted && wanted !== shown && lanes().some(lane => lane.dataset.finding === wanted);
    if (!place) return;
    place.inert = isAnother;
    place.setAttribute('aria-busy', String(isAnother));
  }

  function choose(name, byHand = true) {
    const all = lanes(), before = all.find(lane => lane.getAttribute('aria-pressed') === 'true');
    if (before?.dataset.finding !== name) window.dash_clientside.set_props('lane-said', {value: ''}); // it was meant for another
    all.forEach(lane => lane.setAttribute('aria-pressed', String(lane.dataset.finding === name)));
    wanted = name;
    waits();
    window.dash_clientside.set_props('findings-chosen', {data: name});
    if (byHand && matchMedia(SINGLE_COLUMN).matches) document.getElementById('finding-whole').scrollIntoView({block: 'start', behavior: 'smooth'});
  }
  const isHere = () => !!document.getElementById('findings-lanes');

  document.addEventListener('focusin', event => { focused = event.target.closest?.('.tv-lane[data-finding]')?.dataset.finding || null; });
  new MutationObserver(() => {
    if (!focused || document.activeElement !== document.body) return; // what had the focus was taken away
    const again = lanes().find(lane => lane.dataset.finding === focused);
    if (again) again.focus({preventScroll: true});
  }).observe(document.documentElement, {childList: true, subtree: true});
  document.addEventListener('keydown', event => { // up and down between lanes
    const lane = event.target.closest?.('.tv-lane[data-finding]'), by = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (!lane || !by) return;
    event.preventDefault();
    const all = lanes();
    all[all.indexOf(lane) + by]?.focus();
  });

  window.dash_clientside.trainvitals.findingsLook = (states, severities) => {
    remember('state', (states || []).join(','));
    remember('severity', (severities || []).join(','));
    return window.dash_clientside.no_update;
  };
  window.dash_clientside.trainvitals.findingsShown = sign => {
    shown = sign ? sign.finding : null;
    waits();
    return window.dash_clientside.no_update;
  };
  return {choose, isHere};
})();
