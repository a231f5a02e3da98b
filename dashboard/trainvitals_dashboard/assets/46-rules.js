// Searching the rules: what holds all words stays, in its stage; what is searched for is in the address.
window.dash_clientside.trainvitals.rules = text => {
  const words = (text || '').toLowerCase().split(/\s+/).filter(Boolean), rules = [...document.querySelectorAll('.tv-rulebook li')];
  const said = new Map(rules.map(rule => [rule, rule.textContent.toLowerCase()]));
  rules.forEach(rule => { rule.hidden = !words.every(word => said.get(rule).includes(word)); });
  document.querySelectorAll('.tv-rulebook section').forEach(stage => {
    const all = [...stage.querySelectorAll('li')], found = all.filter(rule => !rule.hidden);
    stage.hidden = !found.length;
    stage.querySelector('h2 .tv-dim').textContent = found.length < all.length ? `${found.length} of ${all.length}` : all.length;
  });
  const found = rules.filter(rule => !rule.hidden).length;
  document.getElementById('rules-none').hidden = found > 0;
  remember('text', text);
  return found < rules.length ? `${found} of ${rules.length}` : `${rules.length}`;
};
