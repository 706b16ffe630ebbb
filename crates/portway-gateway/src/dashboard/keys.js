// The keyboard beyond Tab and Enter. Single letters act only where a service has the focus, and
// nowhere while something is typed or a dialog is open.

import { byId } from "./dom.js";

const isTyping = (target) => target.matches("input:not([type=checkbox]), select, textarea");

export function listen({ instances, help, isServicesView }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const dialog = document.querySelector("dialog[open]");
    if (event.key === "/" && !isTyping(event.target)) {
      const field = dialog?.id === "logs" ? byId("logs-search") : !dialog && isServicesView() ? byId("filter") : null;
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
      return;
    }
    if (dialog || isTyping(event.target)) return;
    if (event.key === "?") {
      help();
      return;
    }
    if (!isServicesView()) return;
    const done = onServices(event, instances);
    if (done) event.preventDefault();
  });
}

function onServices(event, instances) {
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  const focused = instances.focused;
  if (step) {
    const rows = instances.rows;
    const from = focused ? rows.indexOf(focused.row) : step > 0 ? -1 : rows.length;
    const row = rows[from + step];
    if (row) instances.focusRow(row);
    return Boolean(row) || Boolean(focused);
  }
  if (!focused) return false;
  switch (event.key) {
    case "s":
      instances.startOrStop(focused);
      return true;
    case "r":
      instances.restart(focused);
      return true;
    case "l":
      instances.logs(focused);
      return true;
    case "o":
      instances.visit(focused);
      return true;
    case "Enter":
      // On a button or a link it does what that does.
      if (event.target !== focused.row) return false;
      instances.visit(focused);
      return true;
    default:
      return false;
  }
}
