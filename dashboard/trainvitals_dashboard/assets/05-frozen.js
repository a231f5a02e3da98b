// Pieces that only show (parts/frozen.py) come as HTML. What differs is changed in place by morphdom, so that focus, a
// selection and the place scrolled to stay; what bears a key is known by it, wherever it stands now.
window.trainvitals_dashboard = {Frozen: ({id, html}) => {
  const at = React.useRef(null), isNew = React.useRef(true);
  React.useLayoutEffect(() => {
    if (isNew.current) { at.current.innerHTML = html; isNew.current = false; return; }
    const next = document.createElement('div');
    next.innerHTML = html;
    morphdom(at.current, next, {
      childrenOnly: true,
      getNodeKey: ({dataset}) => dataset && (dataset.key || dataset.fold || dataset.snap),
      onBeforeElUpdated: (from, to) => {
        if (from.isEqualNode(to)) return false;
        const chosen = window.tvFolds.chosen(to.dataset.fold);
        if (chosen !== undefined) to.open = chosen;
        return true;
      },
    });
  }, [html]);
  return React.createElement('div', {ref: at, id});
}};
