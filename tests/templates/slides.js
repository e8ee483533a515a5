const sections = [...document.querySelectorAll('section')];
const texts = [...document.querySelectorAll('.text')];
const long = texts.filter(t => t.scrollHeight > t.clientHeight + 1 || t.scrollWidth > t.clientWidth + 1
  || [...t.querySelectorAll('pre')].some(p => p.scrollWidth > p.clientWidth + 1));
long.forEach(t => t.parentElement.classList.add('too-long'));
document.body.dataset.slides = texts.length;
document.body.dataset.tooLong = long.map(t => sections.indexOf(t.closest('section')) + 1).join(' ') || 'none';
const fit = () => document.body.style.setProperty('--zoom', Math.min(innerWidth / 980, innerHeight / 560));
addEventListener('resize', fit);
fit();
const now = () => sections.findIndex(s => s.getBoundingClientRect().bottom > innerHeight / 2);
addEventListener('keydown', event => {
  const step = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, ' ': 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    sections[Math.max(0, Math.min(sections.length - 1, now() + step))].scrollIntoView();
  }
  if (event.key === 'n') document.body.classList.toggle('notes');
});
