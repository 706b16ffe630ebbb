// What a person types, and what is wrong with it: that stands at the field.

import { byId, setAttribute, setText } from "./dom.js";

// Says at a field what is wrong with it and has the focus go there; says no more without words.
export function fault(field, words = "") {
  setAttribute(field, "aria-invalid", words ? "true" : null);
  setText(byId(field.getAttribute("aria-describedby")), words);
  if (words) field.focus();
}

// The port in a field, or null where it is none.
export function portIn(field) {
  const typed = field.value.trim();
  const port = /^\d+$/.test(typed) ? Number(typed) : 0;
  const isPort = port >= 1 && port <= 65535;
  fault(field, isPort ? "" : "A port is a number from 1 to 65535.");
  return isPort ? port : null;
}
