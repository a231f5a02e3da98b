// The page of a run's inside: what is chosen (layer, step, example) is in the address, and the pictures are asked for by it.
(() => {
  const SETTLES_MS = 40, LOOKED_EVERY_MS = 2000, MOST_MARKS = 60, ONE_COLUMN_PX = 1000; // as in parts/inside_body.py
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  let asking = 0, looked = 0, shown = {at: '', steps: []};

  function ask() {
    clearTimeout(asking);
    asking = setTimeout(() => {
      if (!document.getElementById('inside-body')) return;
      const asked = Object.fromEntries(['layer', 'step', 'example'].map(name => [name, new URLSearchParams(location.search).get(name) || '']));
      set('inside-asked', {data: {...asked, at: Date.now()}});
    }, SETTLES_MS);
  }

  const known = steps => { // the looks that the slider has, of this page
    if (shown.at !== location.pathname) shown = {at: location.pathname, steps};
    return shown.steps;
  };

  window.dash_clientside.trainvitals.insideStep = (at, steps) => {
    known(steps);
    const newest = at >= steps.length - 1, step = steps[Math.min(at, steps.length - 1)];
    remember('step', newest ? null : String(step));
    ask();
    return `${step.toLocaleString('en')}${newest ? ', the newest' : ''}`;
  };

  // Who looks at the newest goes on to the next; who looks at an older one stays with it.
  window.dash_clientside.trainvitals.insideGrow = (steps, at) => {
    const before = known(steps), step = before[Math.min(at, before.length - 1)];
    const follows = at >= before.length - 1;
    shown.steps = steps;
    const stays = Math.max(0, steps.filter(one => one <= step).length - 1), last = steps.length - 1;
    const marks = steps.length <= MOST_MARKS ? steps.map((_, value) => ({value})) : [];
    return [Math.max(1, last), marks, last < 1, follows ? last : stays, steps.length === 1 ? '1 look' : `${steps.length} looks`];
  };

  function choose(event, name, attribute, current) {
    const chosen = event.target.closest?.(`[${attribute}]`);
    if (!chosen || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return; // a tab of its own
    event.preventDefault();
    remember(name, chosen.getAttribute(attribute));
    document.querySelectorAll(`[${attribute}]`).forEach(one => current(one, one === chosen));
    ask();
  }
  document.addEventListener('click', event => {
    if (event.target.closest?.('[data-inside-layer]') && innerWidth <= ONE_COLUMN_PX) document.querySelector('.tv-in-layer')?.scrollIntoView();
    choose(event, 'layer', 'data-inside-layer', (one, is) => is ? one.setAttribute('aria-current', 'true') : one.removeAttribute('aria-current'));
    choose(event, 'example', 'data-inside-example', (one, is) => one.setAttribute('aria-pressed', String(is)));
  });

  document.addEventListener('tv-update', ({detail: update}) => {
    if (!update.looked || looked) return;
    looked = setTimeout(() => { looked = 0; if (document.getElementById('inside-whole')) set('inside-looked', {data: Date.now()}); }, LOOKED_EVERY_MS);
  });
})();
