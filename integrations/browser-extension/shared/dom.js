// Making and changing elements. Text always comes in as text. The browser extension has the same file.

// An element. A property that begins with `on` is a listener, `class` and `text` are what they say,
// everything else an attribute; null and false leave one out.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else setAttribute(made, name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

// What does not change is not touched: a screen reader would say it again, a selection would go.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? "" : value);
}

const KEYS = new WeakMap();

// Makes the children of `parent` those of `items`: one that is there already stays the same element,
// so that focus and what is open survive every change.
export function keyed(parent, items, keyOf, make, update) {
  const known = KEYS.get(parent) ?? new Map();
  const now = new Map();
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = known.get(key) ?? make(item);
    now.set(key, child);
    known.delete(key);
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const gone of known.values()) gone.remove();
  KEYS.set(parent, now);
  if (focused !== document.activeElement && focused?.isConnected) focused.focus();
}
