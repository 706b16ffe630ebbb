// Keyboard shortcuts. Shortcuts for services apply only while a service row has the focus, and none
// applies while the user types or a dialog is open.

import { byId } from "./dom.js";

const isTextInput = (target) => target.matches("input:not([type=checkbox]), select, textarea");

export function addShortcuts({ instances, openHelp, isServicesView }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const dialog = document.querySelector("dialog[open]");
    if (event.key === "/" && !isTextInput(event.target)) {
      const field = searchField(dialog, isServicesView());
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
      return;
    }
    if (dialog || isTextInput(event.target)) return;
    if (event.key === "?") {
      openHelp();
      return;
    }
    if (!isServicesView()) return;
    const isHandled = handleServiceKey(event, instances);
    if (isHandled) event.preventDefault();
  });
}

function searchField(dialog, isServicesView) {
  if (dialog) return dialog.id === "logs" ? byId("logs-search") : null;
  return isServicesView ? byId("filter") : null;
}

function handleServiceKey(event, instances) {
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  const focused = instances.focused;
  if (step) {
    const rows = instances.rows;
    const start = step > 0 ? -1 : rows.length;
    const row = rows[(focused ? rows.indexOf(focused.row) : start) + step];
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
      instances.showLogs(focused);
      return true;
    case "o":
      instances.visit(focused);
      return true;
    case "Enter":
      // On a button or a link, Enter activates that element.
      if (event.target !== focused.row) return false;
      instances.visit(focused);
      return true;
    default:
      return false;
  }
}
