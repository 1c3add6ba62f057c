// What CloudWatch does with a custom widget, as far as its user guide tells: it calls the function with the widget's
// context, takes everything that could run out of the answer, shows it, and does what each `cwdb-action` says when the
// element just before it is chosen. Runs in the browser; DOMPurify and the widgets are there already.

const { widgets, dashboard } = JSON.parse(document.getElementById('dashboard').textContent);
const asked = new URLSearchParams(location.search);

/** JavaScript, frames and `use` are taken out, as CloudWatch does; styles, SVG and forms stay. */
const FILTER = {
  FORCE_BODY: true,
  ADD_TAGS: ['cwdb-action'],
  ADD_ATTR: ['action', 'confirmation', 'display', 'endpoint', 'event'],
  ADD_URI_SAFE_ATTR: ['confirmation', 'endpoint'],
  FORBID_TAGS: ['script', 'iframe', 'use', 'object', 'embed', 'link', 'meta', 'base'],
};

const theme = () => document.documentElement.dataset.theme;

const element = (tag, attributes = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
};

/** What is typed in every form of a widget, by name. */
const typed = (content) => {
  const all = {};
  for (const field of content.querySelectorAll('form [name], input[name], select[name], textarea[name]')) {
    if ((field.type === 'checkbox' || field.type === 'radio') && !field.checked) continue;
    all[field.name] = field.value;
  }
  return all;
};

const contextOf = (widget, content, index) => ({
  dashboardName: dashboard,
  widgetId: `widget-${index + 1}`,
  accountId: '000000000000',
  locale: 'en',
  timezone: { label: 'UTC', offsetISO: '+00:00', offsetInMinutes: 0 },
  period: 300,
  isAutoPeriod: true,
  timeRange: { mode: 'relative', start: Date.now() - 10_800_000, end: Date.now(), relativeStart: 10_800_000 },
  theme: theme(),
  linkCharts: true,
  title: widget.title,
  forms: { all: typed(content) },
  params: widget.params,
  width: Math.floor(content.clientWidth),
  height: Math.floor(content.clientHeight),
});

const call = async (endpoint, event) => {
  const response = await fetch('/invoke', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ endpoint, event }),
  });
  const { answer, error } = await response.json();
  if (error !== undefined) throw new Error(error);
  return answer;
};

/** HTML of a function, filtered; anything else as the JSON that it is. */
const show = (content, answer) => {
  if (typeof answer === 'string') content.innerHTML = DOMPurify.sanitize(answer, FILTER);
  else content.replaceChildren(element('pre', { textContent: answer?.markdown ?? JSON.stringify(answer, null, 2) }));
};

/** A dialogue over the dashboard; what is in it behaves like a widget. */
const popUp = (fill) => {
  const content = element('div', { className: 'content' });
  const dialog = element(
    'dialog',
    {},
    element('button', { className: 'close', textContent: 'Close', onclick: () => dialog.close() }),
    content,
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  fill(content);
};

const connect = (widget, index, content) => {
  const fill = (into, answer) => {
    show(into, answer);
    connect(widget, index, into);
  };
  const perform = async (action) => {
    const confirmation = action.getAttribute('confirmation');
    if (confirmation !== null && !confirm(confirmation)) return;
    const isPopup = action.getAttribute('display') === 'popup';
    const place = (answer) => (isPopup ? popUp((into) => fill(into, answer)) : fill(content, answer));
    if (action.getAttribute('action') !== 'call') return place(action.innerHTML);
    content.setAttribute('aria-busy', 'true');
    try {
      const given = action.textContent.trim() === '' ? {} : JSON.parse(action.textContent);
      const context = contextOf(widget, content, index);
      place(await call(action.getAttribute('endpoint'), { ...given, widgetContext: context }));
    } catch (error) {
      content.replaceChildren(element('pre', { className: 'failed', textContent: `Error: ${error.message}` }));
    } finally {
      content.removeAttribute('aria-busy');
    }
  };
  for (const action of content.querySelectorAll('cwdb-action')) {
    if (action.parentElement.closest('cwdb-action')) continue;
    action.hidden = true;
    const before = action.previousElementSibling;
    before?.addEventListener(action.getAttribute('event') ?? 'click', (event) => {
      event.preventDefault();
      void perform(action);
    });
  }
};

const refresh = async (widget, index, content) => {
  content.setAttribute('aria-busy', 'true');
  try {
    show(content, await call(widget.endpoint, { ...widget.params, widgetContext: contextOf(widget, content, index) }));
    connect(widget, index, content);
  } catch (error) {
    content.replaceChildren(element('pre', { className: 'failed', textContent: `Error: ${error.message}` }));
  } finally {
    content.removeAttribute('aria-busy');
  }
};

/** Of the dashboard's 24 columns; a row is 50 pixels. */
const place = ({ width, height }) => {
  const columns = Number(asked.get('w') ?? width);
  return { gridColumn: `span ${columns}`, height: `${Number(asked.get('h') ?? height) * 50}px` };
};

const refreshAll = [];
const main = document.querySelector('main');
for (const [index, widget] of widgets.entries()) {
  if (asked.has('only') && asked.get('only') !== widget.title) continue;
  const content = element('div', { className: 'content' });
  const again = element('button', { textContent: 'Refresh', onclick: () => void refresh(widget, index, content) });
  again.setAttribute('aria-label', `Refresh ${widget.title}`);
  const box = element(
    'section',
    {},
    element('header', {}, element('h1', { textContent: widget.title }), again),
    content,
  );
  Object.assign(box.style, place(widget));
  main.append(box);
  refreshAll.push(() => refresh(widget, index, content));
}

const setTheme = (name) => {
  document.documentElement.dataset.theme = name;
  for (const it of refreshAll) void it();
};
document.getElementById('theme').onclick = () => setTheme(theme() === 'dark' ? 'light' : 'dark');
setTheme(asked.get('theme') ?? 'light');
