// Pieces that only show (parts/frozen.py) come as HTML. What differs is changed in place by morphdom: focus, a selection,
// the place scrolled to and what people unfolded (25-folds.js) stay.
window.trainvitals_dashboard = {Frozen: ({id, html}) => {
  const at = React.useRef(null), isNew = React.useRef(true);
  React.useLayoutEffect(() => {
    if (isNew.current) { at.current.innerHTML = html; isNew.current = false; return; }
    const next = document.createElement('div');
    next.innerHTML = html;
    morphdom(at.current, next, {childrenOnly: true, onBeforeElUpdated: (from, to) => {
      if (from.isEqualNode(to)) return false;
      if (from.matches('details[data-fold]')) to.open = from.open;
      return true;
    }});
  }, [html]);
  return React.createElement('div', {ref: at, id});
}};
