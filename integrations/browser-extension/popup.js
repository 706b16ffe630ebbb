// The popup: shows the service of the current page, and all running instances.

import { candidatePorts, findGateway, subscribe } from "./gateway.js";
import { isRunning } from "./resolve.js";
import { byId, element, keyed, setAttribute, setText } from "./shared/dom.js";
import { stateLabel, toneOf } from "./shared/states.js";
import * as tabs from "./tabs.js";

// How long to wait before looking for the gateway again, in milliseconds.
const RETRY_DELAY = 1500;

const HOSTS = { origins: chrome.runtime.getManifest().host_permissions };

let tab = null;

async function start() {
  const view = await findGateway();
  if (!view) {
    await drawNoGateway();
    setTimeout(start, RETRY_DELAY);
    return;
  }
  await draw(view);
  subscribe(view.home, {
    onInstances: (instances) => {
      draw({ ...view, instances });
      // The background updates the badge. It is not reachable while it restarts.
      chrome.runtime.sendMessage("changed").catch(() => {});
    },
    onLost: () => setTimeout(start, RETRY_DELAY),
  });
}

async function drawNoGateway() {
  const hasAccess = await chrome.permissions.contains(HOSTS);
  byId("no-gateway").hidden = !hasAccess;
  byId("no-access").hidden = hasAccess;
  for (const id of ["dashboard", "page", "warning", "instances"]) byId(id).hidden = true;
  setText(byId("note"), "");
  const ports = await candidatePorts();
  setText(byId("checked-ports"), ports.length > 1 ? `ports ${ports.join(" and ")}` : `port ${ports[0]}`);
}

async function draw(view) {
  // The tab may show another page since the last update.
  [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  const page = await tabs.inspect(tab, view);
  byId("no-gateway").hidden = true;
  byId("no-access").hidden = true;
  byId("dashboard").hidden = false;
  byId("dashboard").href = view.home;
  drawPage(page?.resolved);
  drawWarning(page);
  drawInstances(view.instances, page?.resolved);
}

function drawPage(resolved) {
  const card = byId("page");
  const part = (name) => card.querySelector(`.${name}`);
  card.hidden = !resolved || resolved.kind === "dashboard";
  if (card.hidden) return;
  const { instance, service, match } = resolved;
  setText(part("service"), service?.name ?? "Not a Portway service");
  setState(part("state"), service?.state);
  setText(part("project"), instance?.name ?? "");
  setText(part("branch"), instance?.branch ?? "");
  setText(part("directory"), instance?.directory ?? "");
  setText(part("match"), matchText(match));
  setText(part("message"), service?.message ?? "");
}

function matchText(match) {
  if (match === undefined) return "Portway runs no service at this address.";
  if (match === "port") return "Matched by port";
  return match === "name" ? "Matched by name" : `Matched by route ${match}`;
}

function drawWarning(page) {
  const box = byId("warning");
  box.hidden = !page?.changed;
  if (box.hidden) return;
  const { loaded, changed, resolved } = page;
  const isBranch = changed === "branch";
  const bold = (text) => element("b", { text: text ?? "no branch" });
  const before = bold(isBranch ? loaded.branch : checkoutName(loaded));
  const after = bold(isBranch ? resolved.instance.branch : checkoutName(resolved.instance));
  setText(box.querySelector("h2"), isBranch ? "Branch changed" : "Checkout changed");
  box.querySelector("p").replaceChildren("This page was loaded from ", before, ". Its address now serves ", after, ".");
}

const checkoutName = ({ name, branch }) => (branch ? `${name} (${branch})` : name);

function drawInstances(instances, resolved) {
  const running = instances.filter(isRunning);
  const list = byId("instances");
  list.hidden = running.length === 0;
  keyed(list, running, ({ id }) => id, createInstance, (card, instance) => {
    setAttribute(card, "aria-label", `Instance ${instance.name}`);
    setText(card.querySelector("h2 span"), instance.name);
    setState(card.querySelector("h2 .state"), instance.state);
    setText(card.querySelector(".branch"), instance.branch ?? "");
    const isCurrent = (service) => resolved?.service?.name === service.name && resolved.instance.id === instance.id;
    keyed(card.querySelector("ul"), instance.services, keyOf, createService, (row, service) => updateService(row, service, isCurrent(service)));
  });
  setText(byId("note"), summarize(running.length, instances.length - running.length));
}

function summarize(running, stopped) {
  const stoppedText = stopped === 1 ? "1 instance is stopped." : `${stopped} instances are stopped.`;
  if (running > 0) return stopped > 0 ? stoppedText : "";
  const hint = "No services are running. Run `portway up` in a project to start them.";
  return stopped > 0 ? `${hint} ${stoppedText}` : hint;
}

const createInstance = () =>
  element(
    "article",
    { class: "instance" },
    element("h2", {}, element("span"), element("span", { class: "state" })),
    element("p", { class: "branch" }),
    element("ul"),
  );

// The addresses are part of the key, because an element cannot change from a link to text.
const keyOf = ({ name, url, named_url }) => `${name} ${url} ${named_url}`;

function createService({ name, url, named_url, ports }) {
  const [nameUrl, portUrl] = [named_url ?? url, url].map((one) => (one?.startsWith("http") ? one : null));
  const link = (href, name, text) =>
    href ? element("a", { class: name, href, text, title: href, target: "_blank", rel: "noopener" }) : element("span", { class: name, text });
  return element(
    "li",
    {},
    link(nameUrl, "name", name),
    link(portUrl, "port", ports.length > 0 ? String(ports[0].port) : ""),
    element("span", { class: "state" }),
  );
}

function updateService(row, { state, message }, isCurrent) {
  setAttribute(row, "aria-current", isCurrent ? "page" : null);
  setState(row.querySelector(".state"), state);
  setAttribute(row.querySelector(".state"), "title", message);
}

function setState(node, state) {
  setText(node, state ? stateLabel(state) : "");
  setAttribute(node, "data-tone", state && toneOf(state));
}

byId("reload").addEventListener("click", async () => {
  await chrome.tabs.reload(tab.id);
  window.close();
});
byId("copy").addEventListener("click", async ({ currentTarget }) => {
  await navigator.clipboard.writeText("portway gateway --detach");
  setText(currentTarget, "Copied");
});
byId("options").addEventListener("click", () => chrome.runtime.openOptionsPage());
byId("allow").addEventListener("click", () => chrome.permissions.request(HOSTS));

start();
