// Validates form fields and shows errors next to them.

import { byId, setAttribute, setText } from "./dom.js";

// Shows an error at a field and moves the focus there. An empty message clears the error.
export function setFieldError(field, message = "") {
  setAttribute(field, "aria-invalid", message ? "true" : null);
  setText(byId(field.getAttribute("aria-describedby")), message);
  if (message) field.focus();
}

// Returns the port number in a field. Shows an error and returns null if it is not valid.
export function readPort(field) {
  const input = field.value.trim();
  const port = /^\d+$/.test(input) ? Number(input) : 0;
  const isValid = port >= 1 && port <= 65535;
  setFieldError(field, isValid ? "" : "Enter a port number from 1 to 65535.");
  return isValid ? port : null;
}
