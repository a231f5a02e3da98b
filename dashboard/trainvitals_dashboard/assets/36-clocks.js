// What counts on by itself: how long a run has been running, and how long nothing has come from one that is said to run.
// A place for the latter opts in by data-quiet: the run's summary, of which `quiet` keeps what is needed.
window.tvClocks = (() => {
  const LEAST_SECONDS = 15, TIMES_USUAL = 3, SILENT_SECONDS = 25; // of heartbeats, which come every ten seconds
  const SETTLES_MS = 5000; // a page that was away learns of what came meanwhile
  const STILL_HEARD = 'The process still answers: it may be validating, saving or compiling, or it hangs.';
  const UNHEARD = 'Nothing is heard from the process: it may have been killed, or the network is away. If it stays silent the run counts as lost.';
  let ahead = 0, told = 0, connectedAt = -Infinity;

  function duration(seconds) {
    const [m, h, d] = [60, 3600, 86400];
    return seconds < m ? `${Math.round(seconds)} s` : seconds < h ? `${Math.floor(seconds / m)} min`
      : seconds < d ? `${Math.floor(seconds / h)} h ${Math.floor(seconds % h / m)} min` : `${Math.floor(seconds / d)} d ${Math.floor(seconds % d / h)} h`;
  }
  // ages are told by the server's clock: this machine's may be wrong
  function set(serverNow) {
    if (!serverNow || serverNow === told) return;
    told = serverNow;
    ahead = serverNow - Date.now() / 1000;
    tick();
  }
  const quiet = ({status, heartbeat_at, data_at = null, data_every = null}) => JSON.stringify({status, heartbeat_at, data_at, data_every});
  function said({status, heartbeat_at, data_at, data_every}) { // [text, why]
    const now = Date.now() / 1000 + ahead, silent = now - heartbeat_at;
    if (status === 'lost') return [`silent for ${duration(silent)}`, window.tvLost];
    if (status !== 'running') return ['', ''];
    const isSilent = silent > SILENT_SECONDS, age = now - data_at;
    if (!isSilent && data_at !== null && age <= Math.max(LEAST_SECONDS, TIMES_USUAL * data_every)) return ['', ''];
    const usually = data_every ? `Data usually come every ${duration(Math.max(1, data_every))}. ` : '';
    return [data_at === null ? 'waiting for data' : `last data ${duration(age)} ago`, usually + (isSilent ? UNHEARD : heartbeat_at > data_at ? STILL_HEARD : '')];
  }
  function show(at) { // one place, which may be new
    const isKnown = performance.now() - connectedAt > SETTLES_MS;
    const [text, why] = isKnown && at.dataset.quiet ? said(JSON.parse(at.dataset.quiet)) : ['', ''];
    at.classList.toggle('tv-hush', !!text);
    if (at.tagName !== 'I' && at.textContent !== text) at.textContent = text; // a dot has no words
    if (at.title !== why) at.title = why;
  }
  function tick() {
    document.querySelectorAll('[data-quiet]').forEach(show);
    document.querySelectorAll('[data-elapsed]').forEach(at => {
      if (at._from !== at.dataset.elapsed) { at._from = at.dataset.elapsed; at._since = performance.now(); }
      const words = `running for ${duration(+at._from + (performance.now() - at._since) / 1000)}`;
      if (document.documentElement.dataset.live !== 'ended') at.textContent = words;
    });
  }
  setInterval(tick, 1000);
  // who is away does not know what comes
  const away = () => { connectedAt = Infinity; tick(); };
  const back = () => { if (connectedAt === Infinity) connectedAt = performance.now(); };
  function run(summary) { // the run of this page
    document.querySelectorAll('.tv-runhead [data-quiet]').forEach(at => { at.dataset.quiet = quiet(summary); });
    tick();
  }
  return {set, quiet, run, show, away, back};
})();
