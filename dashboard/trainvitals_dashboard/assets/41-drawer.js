// The drawer, and the address: what it shows is there (`finding=`, `layer=`), and to open it is a step that Back takes back.
window.tvDrawer = (() => {
  const KINDS = ['finding', 'layer'], UNNAMED = '(model)'; // as parts/addresses.py has it: the empty name of a bare module
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  let isOpen = false, openAt = '', rest = null; // `rest`: the address that the page was left at, without what the drawer shows

  const withoutDrawer = () => { const url = new URL(location.href); KINDS.forEach(kind => url.searchParams.delete(kind)); return url; };
  const ofAddress = () => {
    const query = new URLSearchParams(location.search), kind = KINDS.find(one => query.get(one));
    return kind && {kind, name: kind === 'layer' && query.get(kind) === UNNAMED ? '' : query.get(kind)};
  };
  const show = ({kind, name}) => set('drawer-asked', {data: {kind, name, at: Date.now()}});
  function open(kind, name) { // by a click: one more step, but for what is opened in place of another
    const url = withoutDrawer();
    url.searchParams.set(kind, name || UNNAMED);
    if (url.href !== location.href) isOpen ? history.replaceState(history.state, '', url) : history.pushState({tvDrawer: true}, '', url);
    rest = withoutDrawer().href;
    show({kind, name});
  }
  function turned(opened) {
    if (isOpen && !opened && ofAddress() && location.pathname === openAt) { // what another page's address says is its own
      if (history.state?.tvDrawer) history.back(); // the step to it is taken back, or Back would open it again
      else history.replaceState(history.state, '', withoutDrawer()); // it was opened by the address; a reload would do it again
    }
    [isOpen, openAt] = [!!opened, location.pathname];
  }
  // Back and Forward: only the drawer changes, and Dash, which would draw the page anew, hears of nothing
  window.addEventListener('popstate', event => {
    if (rest === null || withoutDrawer().href !== rest) { rest = null; return; }
    event.stopImmediatePropagation();
    const asked = ofAddress();
    if (asked) show(asked);
    else if (isOpen) { isOpen = false; set('drawer', {opened: false}); }
  });
  window.addEventListener('_dashprivate_pushstate', () => { rest = null; });
  return {open, show, turned, stays: () => { if (rest !== null) rest = withoutDrawer().href; }};
})();
