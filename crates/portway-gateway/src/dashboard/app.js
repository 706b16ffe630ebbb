// Puts the parts together: events in, views out.

import { follow } from "./api.js";
import { byId, element, setAttribute, setText } from "./dom.js";
import { Instances } from "./instances.js";
import { listen } from "./keys.js";
import { Logs } from "./logs.js";
import { Ports } from "./ports.js";
import { mood } from "./states.js";
import { count } from "./words.js";

// Tells of an error until it is taken away.
function say(error) {
  const messages = byId("messages");
  const message = element(
    "div",
    { class: "message" },
    element("p", { text: error.message }),
    ...(error.hints ?? []).map((hint) => element("p", { class: "hint", text: hint })),
    element("button", { "aria-label": "Dismiss", text: "×", onclick: dismiss }),
  );
  function dismiss() {
    message.remove();
    if (messages.childElementCount === 0) messages.hidePopover();
  }
  messages.append(message);
  // Above a dialog that was opened meanwhile.
  messages.hidePopover();
  messages.showPopover();
}

const announce = (text) => setText(byId("announcer"), text);

const isServicesView = () => !byId("services-view").hidden;

const logs = new Logs({ say });
const ports = new Ports({ say, announce });
const instances = new Instances({
  say,
  announce,
  open: {
    logs: (id, service) => logs.open(instances.get(id), service),
    port: (port) => {
      location.hash = "ports";
      ports.choose(port, true);
    },
  },
});

function route() {
  const isPorts = location.hash === "#ports";
  byId("services-view").hidden = isPorts;
  byId("ports-view").hidden = !isPorts;
  byId("filter-label").hidden = isPorts;
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.hash === (isPorts ? "#ports" : "#services");
    setAttribute(link, "aria-current", isHere ? "page" : null);
  }
  if (isPorts) ports.show();
  else ports.hide();
}

function summarize(all) {
  const services = all.flatMap((instance) => instance.services);
  const bad = services.filter(({ state }) => mood(state) === "bad").length;
  const running = all.filter(({ state }) => state !== "stopped").length;
  const trouble = bad > 0 ? `, ${bad} in trouble` : "";
  document.title = bad > 0 ? `(${bad}) Portway` : "Portway";
  return `${running} of ${count(all.length, "instance")} running${trouble}`;
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

const help = () => byId("help").showModal();
byId("help-button").addEventListener("click", help);
byId("help-close").addEventListener("click", () => byId("help").close());
listen({ instances, help, isServicesView });

window.addEventListener("hashchange", route);
route();

let summary = "";
const connection = byId("connection");
follow("/v1/events", {
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
    setText(connection, state === "live" ? summary : "the gateway does not answer; trying again");
  },
});
