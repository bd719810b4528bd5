// Runs when a panel is there. One listener a panel: what is pressed says what it wants in data-do, and Python does it.
// Texts arrive escaped and are never put together with markup here.
const EVENTS = ['cite', 'starter', 'retry', 'edit', 'rate', 'comment', 'open', 'rename', 'delete', 'drop', 'unfilter'];
const SURE_MS = 6000; // that a button asks whether it really should
const root = document.body;
const scrollTo = (box, target, above) => { // the box alone, not the whole page
  box.scrollTop += target.getBoundingClientRect().top - box.getBoundingClientRect().top - above;
};
const placeTip = (tip) => { // beside what it explains, wherever there is room for it
  const inside = (tip.closest('#thread, #source') || root).getBoundingClientRect();
  tip.classList.remove('below');
  tip.style.left = '0';
  let box = tip.getBoundingClientRect();
  if (box.top < inside.top) tip.classList.add('below');
  const over = Math.min(Math.max(0, box.right - inside.right + 12), Math.max(0, box.left - inside.left - 4));
  tip.style.left = `${-over}px`;
};
const copyText = async (text) => { // plain HTTP from another machine has no clipboard, but the old command
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    const field = document.createElement('textarea');
    field.value = text;
    field.style.position = 'fixed';
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
};
const announce = (words) => { // to a screen reader: one place that is never drawn anew
  let said = document.querySelector('#said');
  if (!said) {
    said = document.createElement('p');
    said.id = 'said';
    said.setAttribute('role', 'status');
    root.append(said);
  }
  said.textContent = words;
};
const told = (turn) => { // an answer in a few words
  const reason = turn.querySelector('.refused .reason');
  if (reason) return `No answer. ${reason.textContent}`;
  const answer = turn.querySelector('.short, .verbatim');
  return answer ? `Answer: ${answer.textContent}` : '';
};
const field = () => document.querySelector('#question textarea, #question input');

const here = {
  copy: async (button) => {
    const label = button.textContent;
    const name = button.getAttribute('aria-label');
    const said = await copyText(button.dataset.copy) ? 'Copied' : 'Not allowed here';
    button.textContent = said;
    button.setAttribute('aria-label', said);
    setTimeout(() => {
      button.textContent = label;
      button.setAttribute('aria-label', name);
    }, 1500);
  },
  'close-source': () => {
    root.classList.remove('source-open');
    if (window.qaCitedFrom && window.qaCitedFrom.isConnected) window.qaCitedFrom.focus();
  },
  rename: (button) => {
    const line = button.closest('li');
    const title = line.querySelector('.title');
    const input = document.createElement('input');
    input.className = 'renaming';
    input.maxLength = 80;
    input.value = title.textContent;
    input.setAttribute('aria-label', 'New title');
    line.prepend(input);
    line.querySelector('details').open = false;
    input.focus();
    input.select();
    let over = false;
    const end = (keep) => {
      if (over) return;
      over = true;
      if (keep && input.value.trim()) trigger('rename', { id: button.dataset.id, title: input.value });
      input.remove();
    };
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') end(true);
      if (event.key === 'Escape') end(false);
    });
    input.addEventListener('blur', () => end(true));
  },
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-do]');
  if (!button) return;
  const what = button.dataset.do;
  if (what === 'cite') {
    if (!button.closest('.source')) window.qaCitedFrom = button;
    const text = button.closest('.document'); // wider: what is read stays where it is, measured from the side that stays
    window.qaKeep = !text ? null : button.parentNode === text.firstElementChild
      ? { bottom: text.scrollHeight - text.scrollTop } : { top: text.scrollTop };
    root.classList.add('source-open');
  }
  if (what === 'delete' || what === 'drop') {
    // Pressed once it asks, pressed again it deletes; left alone it asks no more.
    if (!button.dataset.sure) {
      const before = { text: button.textContent, name: button.getAttribute('aria-label'), title: button.title };
      const say = (label, name, title) => {
        button.textContent = label;
        button.title = title;
        if (name === null) button.removeAttribute('aria-label');
        else button.setAttribute('aria-label', name);
      };
      button.dataset.sure = '1';
      say('Really delete?', `Really delete? ${before.title}`, 'Press again to delete');
      announce(`Really delete? Press again. ${before.title}`);
      setTimeout(() => {
        delete button.dataset.sure;
        say(before.text, before.name, before.title);
      }, SURE_MS);
      return;
    }
    delete button.dataset.sure;
  }
  if (here[what]) here[what](button);
  else if (EVENTS.includes(what)) trigger(what, { ...button.dataset });
});

element.addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.target;
  trigger('comment', { turn: form.dataset.turn, comment: form.elements.comment.value });
});

watch('value', () => {
  const thread = element.querySelector('.thread');
  if (thread) {
    const id = thread.dataset.conversation || '';
    if (location.hash.slice(1) !== id) history.replaceState(null, '', id ? '#' + id : location.pathname + location.search);
    const turns = element.querySelectorAll('.turn, .error');
    const state = [id, turns.length, element.querySelectorAll('.pending').length].join();
    const last = turns[turns.length - 1];
    if (window.qaAsked && last && !last.classList.contains('pending')) {
      announce(last.classList.contains('error') ? last.textContent : told(last));
      window.qaAsked = false;
    }
    if (last && last.classList.contains('pending')) window.qaAsked = true;
    if (turns.length && state !== window.qaShown) scrollTo(document.querySelector('#thread'), turns[turns.length - 1], 12);
    window.qaShown = state;
  }
  const source = element.querySelector('.source');
  if (source && !source.classList.contains('empty')) {
    const mark = source.querySelector('#cited');
    const text = source.querySelector('.document');
    const keep = window.qaKeep;
    if (text && keep) text.scrollTop = 'top' in keep ? keep.top : text.scrollHeight - keep.bottom;
    else if (mark) scrollTo(text, mark, text.clientHeight / 3);
    const heading = keep ? text : source.querySelector('h2');
    window.qaKeep = null;
    const typing = /^(?:input|textarea)$/i.test(document.activeElement.tagName);
    if (heading && !typing) heading.focus({ preventScroll: true });
  }
});

if (!window.qaReady) {
  window.qaReady = true;
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      setTimeout(() => root.classList.add('no-tips')); // after the focus is back where it was
      if (root.classList.contains('source-open')) here['close-source']();
      root.classList.remove('list-open');
    }
    const typing = /^(?:input|textarea|select)$/i.test(event.target.tagName);
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const input = field();
      if (input) input.focus();
    }
    // Keys that scroll reach the thread from wherever nothing else takes them.
    const thread = document.querySelector('#thread');
    const own = event.target === root || event.target.closest('#thread, #top') || (typing && /^Page/.test(event.key) && event.target.closest('#question'));
    const page = thread ? thread.clientHeight * 0.9 : 0;
    const by = { PageDown: page, PageUp: -page, End: 1e9, Home: -1e9, ArrowDown: 48, ArrowUp: -48 }[event.key];
    if (thread && by && own && !(typing && !/^Page/.test(event.key)) && !event.ctrlKey && !event.metaKey && thread.offsetParent) {
      event.preventDefault();
      thread.scrollTop += by;
    }
  });
  for (const kind of ['mouseover', 'focusin']) {
    document.addEventListener(kind, (event) => {
      const tip = event.target.closest && event.target.closest('.tipped') ? event.target.closest('.tipped').querySelector('.tip') : null;
      if (!tip) return;
      root.classList.remove('no-tips');
      placeTip(tip);
    });
  }
  document.addEventListener('click', (event) => {
    const toggle = event.target.closest('[data-toggle]');
    if (toggle && toggle.dataset.toggle === 'list') {
      root.classList.toggle(matchMedia('(max-width: 900px)').matches ? 'list-open' : 'list-closed');
    } else if (toggle && toggle.dataset.toggle === 'dark') {
      const dark = !root.classList.contains('dark');
      root.classList.toggle('dark', dark);
      try { localStorage.setItem('qa-dark', dark ? '1' : '0'); } catch (error) { /* private window: not kept */ }
    } else if (event.target.closest('[data-do="open"], #fresh') || !event.target.closest('#left')) {
      root.classList.remove('list-open'); // a drawer is left by what it was opened for, or by a tap beside it
    }
  });
  try {
    const kept = localStorage.getItem('qa-dark');
    if (kept) root.classList.toggle('dark', kept === '1');
  } catch (error) { /* private window: the system's setting holds */ }
}
