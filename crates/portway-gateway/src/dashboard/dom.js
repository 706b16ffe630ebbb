// Creates and updates elements. Values become text nodes or attributes, never markup.
// The browser extension contains a copy of this file.

// Creates an element. Properties named `on…` are event listeners, `class` and `text` set the class
// and the text, and all others are attributes. Null, undefined and false omit an attribute.
export function element(tag, properties = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") created.textContent = value;
    else if (name === "class") created.className = value;
    else if (name.startsWith("on")) created.addEventListener(name.slice(2), value);
    else setAttribute(created, name, value);
  }
  created.append(...children.filter((child) => child !== null && child !== undefined));
  return created;
}

export const byId = (id) => document.getElementById(id);

// Sets the text only if it differs. Writing the same text again would make screen readers repeat it
// and would clear the user's selection.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? "" : value);
}

const CHILDREN_BY_KEY = new WeakMap();

// Updates the children of `parent` to match `items`. An item whose key is already present keeps its
// element, so focus and open state survive updates.
export function keyed(parent, items, keyOf, create, update) {
  const previous = CHILDREN_BY_KEY.get(parent) ?? new Map();
  const current = new Map();
  const focused = document.activeElement;
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const child = previous.get(key) ?? create(item);
    current.set(key, child);
    previous.delete(key);
    update(child, item);
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
  for (const removed of previous.values()) removed.remove();
  CHILDREN_BY_KEY.set(parent, current);
  if (focused !== document.activeElement && focused?.isConnected) focused.focus();
}
