// The page of notes: opening and closing the editor, its preview, and a draft in the browser, so that a closed tab loses
// nothing: what was not saved is taken up again.
(() => {
  const nothing = () => window.dash_clientside.no_update, set = (id, props) => window.dash_clientside.set_props(id, props);
  const key = () => `tv-notes-draft ${location.pathname}`;
  const draft = {
    get: () => { try { return JSON.parse(localStorage.getItem(key())); } catch { return null; } },
    set: value => { try { value ? localStorage.setItem(key(), JSON.stringify(value)) : localStorage.removeItem(key()); } catch { /* barred, as in a notebook */ } },
  };
  const hint = said => { const at = document.getElementById('notes-hint'); if (at) at.textContent = said; };
  const HINT = 'Markdown · Ctrl+Enter saves';
  const focus = () => setTimeout(() => document.getElementById('notes-text')?.focus());

  document.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.id === 'notes-text') {
      event.preventDefault();
      document.getElementById('notes-save').click();
    }
  });

  Object.assign(window.dash_clientside.trainvitals, {
    notesAct: (edit, cancel, join, text, newest, base) => {
      const by = (window.dash_clientside.callback_context.triggered[0] || {}).prop_id || '';
      if (by.startsWith('notes-edit')) { hint(HINT); focus(); return ['write', newest.text, newest]; }
      if (by.startsWith('notes-join')) {
        set('notes-conflict', {hidden: true});
        hint('Both are there: make one of them, and save.');
        focus();
        return [nothing(), `${(text || '').trimEnd()}\n\n---\n\n${newest.text}`, newest];
      }
      if ((text || '') !== base.text && !confirm('Throw away what you wrote, and did not save?')) return [nothing(), nothing(), nothing()];
      set('notes-conflict', {hidden: true});
      return ['read', '', null];
    },
    notesMode: (mode, newest) => {
      if (mode === 'read') draft.set(null);
      const kept = mode ? null : draft.get();
      if (kept && kept.text !== newest.text) { // the page was left while one wrote
        setTimeout(() => {
          set('notes-base', {data: kept.base}); set('notes-text', {value: kept.text}); set('notes-mode', {data: 'write'});
          hint('Not saved yet: taken up again where you left.');
          if (kept.base.version !== newest.version) setTimeout(() => set('notes-saved', {data: Date.now()}), 100); // somebody wrote since
        });
      }
      return [mode === 'write', mode !== 'write', mode === 'write'];
    },
    notesPreview: (text, mode, base) => {
      if (mode === 'write' && base) draft.set((text || '') === base.text ? null : {text: text || '', base});
      return text || '*As it will be read.*';
    },
  });
})();
