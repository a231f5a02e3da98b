// The page's one socket, kept up as long as there is a server; and what the page says of it: a badge, and a banner while the server has trouble.
window.tvConnection = (() => {
  const HEALTH_EVERY_MS = 5000, HEALTH_WITHIN_MS = 10000, LONGEST_WAIT_MS = 15000;
  const SILENT_AFTER_MS = 50000; // the server pings every 20 s, and waits for an answer for 15
  const WORDS = {on: 'Live', waiting: 'Waiting', off: 'Reconnecting', ended: 'Ended', none: ''};
  let socket = null, feed = null, steady = 'on', retry = 0, timer = 0, heardAt = 0, asking = false, downSince = 0, wentAt = 0;

  // feed: {path, since(), take(update)}; null follows nothing. `word` is what the badge says while all is well
  function follow(wanted, word) {
    drop();
    feed = wanted; steady = word; retry = 0;
    feed ? connect() : show('none');
  }
  function drop() {
    const old = socket;
    socket = null;
    clearTimeout(timer);
    if (old) old.close();
  }
  function connect() {
    drop();
    const mine = socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/${feed.path}?since=${feed.since()}`);
    heardAt = Date.now();
    mine.onopen = () => { if (mine === socket) { show(steady); checkHealth(); } };
    mine.onmessage = event => {
      if (mine !== socket) return;
      retry = 0; heardAt = Date.now();
      const update = JSON.parse(event.data);
      if (update.ping) return;
      feed.take(update);
      const ack = () => mine.readyState === 1 && mine.send('a');
      document.hidden ? setTimeout(ack, 2000) : ack();
    };
    mine.onclose = () => { if (mine === socket) lost(); };
  }
  function lost() {
    drop();
    show(steady === 'ended' ? 'ended' : 'off');
    checkHealth();
    signIn();
    timer = setTimeout(connect, Math.min(LONGEST_WAIT_MS, 500 * 2 ** retry++) * (.7 + .6 * Math.random()));
  }
  // a socket that is refused does not say why: another way must tell whether the token is still accepted
  function signIn() {
    fetch('/api/v1/rules', {cache: 'no-store'}).then(answer => {
      if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    }, () => {}); // nobody answers: checkHealth says so
  }
  function say(word) {
    steady = word;
    if (socket && socket.readyState === 1) show(word);
  }
  function show(name) {
    name === 'off' ? window.tvClocks.away() : window.tvClocks.back();
    document.documentElement.dataset.live = name;
    const word = document.getElementById('live-word');
    if (word && word.textContent !== WORDS[name]) word.textContent = WORDS[name];
  }

  // ---- the server's own health, said on the page
  async function checkHealth() { // whether the server answers
    if (asking) return false;
    asking = true;
    let said = '', answers = true;
    try {
      const answer = await (await fetch('/healthz', {cache: 'no-store', signal: AbortSignal.timeout(HEALTH_WITHIN_MS)})).json();
      if (answer.status !== 'ok') said = `The server has trouble (${answer.detail || answer.database || answer.status}). What the page shows may be old; nothing that was sent is lost.`;
    } catch { answers = false; said = 'The server does not answer. The page shows what it had; it goes on by itself when the server is back.'; }
    asking = false;
    if (!said && (document.querySelector('[data-again]') || isElsewhere())) location.reload(); // opened while there was nothing to show
    downSince = answers ? 0 : downSince || Date.now();
    const banner = document.getElementById('banner');
    if (banner && banner.textContent !== said) window.dash_clientside.set_props('banner', {children: said});
    return answers;
  }
  // whoever went on while no server answered, or shortly before that was noticed, sees the page that was left
  const isElsewhere = () => downSince && wentAt > downSince - HEALTH_EVERY_MS;
  for (const name of ['_dashprivate_pushstate', 'popstate']) window.addEventListener(name, () => { wentAt = Date.now(); });
  async function look() {
    if (socket && Date.now() - heardAt > SILENT_AFTER_MS) lost(); // a network that went away closes nothing
    if (document.hidden || !await checkHealth()) return;
    if (feed && !socket) connect(); // the next try may be far off, and the server is there
  }
  setInterval(look, HEALTH_EVERY_MS);
  for (const [target, kind] of [[document, 'visibilitychange'], [window, 'online']]) target.addEventListener(kind, look);
  return {follow, say, isUp: () => !!socket && socket.readyState < 2, stats: () => ({retry})};
})();
