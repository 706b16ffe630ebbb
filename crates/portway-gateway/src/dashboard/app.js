// The entry point: connects the event stream to the views.

import { subscribe } from "./api.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { count } from "./format.js";
import { Instances } from "./instances.js";
import { addShortcuts } from "./keyboard.js";
import { Logs } from "./logs.js";
import { Ports } from "./ports.js";
import { toneOf } from "./states.js";

// Shows an error until the user dismisses it.
function showError(error) {
  const errors = byId("errors");
  const message = element(
    "div",
    { class: "message" },
    element("p", { text: error.message }),
    ...(error.hints ?? []).map((hint) => element("p", { class: "hint", text: hint })),
    element("button", { "aria-label": "Dismiss", text: "×", onclick: dismiss }),
  );
  function dismiss() {
    message.remove();
    if (errors.childElementCount === 0) errors.hidePopover();
  }
  errors.append(message);
  // Reopening the popover puts it above a dialog that was opened later.
  errors.hidePopover();
  errors.showPopover();
}

// Makes screen readers read a text.
const announce = (text) => setText(byId("announcer"), text);

const isServicesView = () => !byId("services-view").hidden;

const logs = new Logs({ showError });
const ports = new Ports({ showError, announce });
const instances = new Instances({
  showError,
  announce,
  openLogs: (id, service) => logs.open(instances.get(id), service),
  openPort: (port) => {
    location.hash = "ports";
    ports.select(port, { moveFocus: true });
  },
});

// Shows the view that the URL's fragment names.
function route() {
  const isPorts = location.hash === "#ports";
  byId("services-view").hidden = isPorts;
  byId("ports-view").hidden = !isPorts;
  byId("filter-label").hidden = isPorts;
  for (const link of document.querySelectorAll("nav a")) {
    const isCurrent = link.hash === (isPorts ? "#ports" : "#services");
    setAttribute(link, "aria-current", isCurrent ? "page" : null);
  }
  if (isPorts) ports.show();
  else ports.hide();
}

function summarize(all) {
  const services = all.flatMap((instance) => instance.services);
  const failing = services.filter(({ state }) => toneOf(state) === "critical").length;
  const running = all.filter(({ state }) => state !== "stopped").length;
  document.title = failing > 0 ? `(${failing}) Portway` : "Portway";
  const problems = failing > 0 ? `, ${count(failing, "service")} failing` : "";
  return `${running} of ${count(all.length, "instance")} running${problems}`;
}

const filter = byId("filter");
filter.addEventListener("input", () => instances.setFilter(filter.value));
filter.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    filter.value = "";
    instances.setFilter("");
  } else if (event.key === "ArrowDown" && instances.rows[0]) {
    event.preventDefault();
    instances.focusRow(instances.rows[0]);
  }
});

const openHelp = () => byId("help").showModal();
byId("help-button").addEventListener("click", openHelp);
byId("help-close").addEventListener("click", () => byId("help").close());
addShortcuts({ instances, openHelp, isServicesView });

window.addEventListener("hashchange", route);
route();

let summary = "";
const connection = byId("connection");
subscribe("/v1/events", {
  onEvent: (event) => {
    if (event.type === "usage") {
      instances.setUsage(event.services);
      return;
    }
    summary = summarize(event.instances);
    instances.setInstances(event.instances);
    ports.setInstances(event.instances);
    setText(connection, summary);
  },
  onState: (state) => {
    setAttribute(document.body, "data-connection", state);
    setText(connection, state === "live" ? summary : "The gateway is not responding. Reconnecting…");
  },
});
