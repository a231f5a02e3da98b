// The page of settings: one search for all rows on it, whatever card they are in; groups without a row that fits go with them.
(() => {
  const rows = () => [...document.querySelectorAll('.tv-settingspage [data-setting]')];
  function filter(text) {
    const wanted = text.toLowerCase().split(/\s+/).filter(Boolean), all = rows();
    const fit = all.filter(row => (row.hidden = !wanted.every(word => row.dataset.setting.includes(word))) === false);
    const isLeft = part => [...part.querySelectorAll('[data-setting]')].some(row => !row.hidden);
    document.querySelectorAll('.tv-settingspage :is(details.tv-cf-group, .tv-op details)').forEach(group => {
      if (wanted.length && isLeft(group)) { if (!group.open) { group.open = true; group.dataset.searched = ''; } }
      else if (!wanted.length && 'searched' in group.dataset) { group.open = false; delete group.dataset.searched; } // as it was
    });
    // what has no row that fits goes: groups, lists with their headings, whole cards
    document.querySelectorAll('.tv-settingspage :is(.tv-card, .tv-cf-group, .tv-cf-rows)').forEach(part => {
      const isGone = wanted.length > 0 && !isLeft(part);
      part.classList.toggle('tv-cf-empty', isGone);
      if (part.previousElementSibling?.matches('.tv-h3')) part.previousElementSibling.classList.toggle('tv-cf-empty', isGone);
    });
    const none = document.getElementById('settings-none');
    if (none) none.hidden = !wanted.length || fit.length > 0;
    return wanted.length ? `${fit.length.toLocaleString('en')} of ${all.length.toLocaleString('en')} rows` : '';
  }
  window.dash_clientside.trainvitals.settingsFilter = text => {
    remember('text', (text || '').trim());
    setTimeout(() => { // when what came anew is there
      const at = document.getElementById('settings-count'), said = filter(text || '');
      if (at && at.textContent !== said) at.textContent = said;
    });
    return window.dash_clientside.no_update;
  };
})();
