// The popup: what this page is of, and what runs.

import { ask, candidates, follow } from "./gateway.js";
import { isRunning } from "./places.js";
import { byId, element, keyed, setAttribute, setText } from "./shared/dom.js";
import { mood, stateInWords } from "./shared/states.js";
import * as tabs from "./tabs.js";

// The pause before a gateway that does not answer is looked for again, in milliseconds. Only while
// the popup is open.
const AGAIN = 1500;

const HOSTS = { origins: chrome.runtime.getManifest().host_permissions };

let tab = null;

async function watch() {
  const view = await ask();
  if (!view) {
    await drawNobody();
    setTimeout(watch, AGAIN);
    return;
  }
  await draw(view);
  follow(view.home, {
    onInstances: (instances) => {
      draw({ ...view, instances });
      // The badge shall say the same.
      chrome.runtime.sendMessage("changed").catch(() => {});
    },
    onLost: () => setTimeout(watch, AGAIN),
  });
}

async function drawNobody() {
  const isAllowed = await chrome.permissions.contains(HOSTS);
  byId("nobody").hidden = !isAllowed;
  byId("withheld").hidden = isAllowed;
  for (const id of ["dashboard", "page", "warning", "instances"]) byId(id).hidden = true;
  setText(byId("note"), "");
  const ports = await candidates();
  setText(byId("looked"), ports.length > 1 ? `ports ${ports.join(" and ")}` : `port ${ports[0]}`);
}

async function draw(view) {
  // It may show another page by now.
  [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  const page = await tabs.look(tab, view);
  byId("nobody").hidden = true;
  byId("withheld").hidden = true;
  byId("dashboard").hidden = false;
  byId("dashboard").href = view.home;
  drawPage(page?.found);
  drawWarning(page);
  drawInstances(view.instances, page?.found);
}

function drawPage(found) {
  const card = byId("page");
  const part = (name) => card.querySelector(`.${name}`);
  card.hidden = !found || found.kind === "dashboard";
  if (card.hidden) return;
  const { instance, service, by } = found;
  setText(part("service"), service?.name ?? "Not Portway’s");
  setState(part("state"), service?.state);
  setText(part("project"), instance?.name ?? "");
  setText(part("branch"), instance?.branch ?? "");
  setText(part("directory"), instance?.directory ?? "");
  setText(part("by"), how(by));
  setText(part("message"), service?.message ?? "");
}

function how(by) {
  if (by === undefined) return "Portway knows nothing at this address.";
  if (by === "port") return "by its port";
  return by === "name" ? "by its name" : `by the route ${by}`;
}

function drawWarning(page) {
  const box = byId("warning");
  box.hidden = !page?.changed;
  if (box.hidden) return;
  const { seen, changed, found } = page;
  const isBranch = changed === "branch";
  const strong = (text) => element("b", { text });
  const was = isBranch ? seen.branch : named(seen);
  const is = isBranch ? found.instance.branch : named(found.instance);
  setText(box.querySelector("h2"), isBranch ? "The branch has changed" : "Another checkout is here now");
  box
    .querySelector("p")
    .replaceChildren("This page was loaded from ", strong(was ?? "no branch"), "; now it would be ", strong(is ?? "no branch"), ".");
}

const named = ({ name, branch }) => (branch ? `${name} (${branch})` : name);

function drawInstances(instances, found) {
  const running = instances.filter(isRunning);
  const list = byId("instances");
  list.hidden = running.length === 0;
  keyed(list, running, ({ id }) => id, makeInstance, (card, instance) => {
    setAttribute(card, "aria-label", `Instance ${instance.name}`);
    setText(card.querySelector("h2 span"), instance.name);
    setState(card.querySelector("h2 .state"), instance.state);
    setText(card.querySelector(".branch"), instance.branch ?? "");
    const isHere = (service) => found?.service?.name === service.name && found.instance.id === instance.id;
    keyed(card.querySelector("ul"), instance.services, keyOf, makeService, (row, service) => updateService(row, service, isHere(service)));
  });
  setText(byId("note"), inWords(running.length, instances.length - running.length));
}

function inWords(running, resting) {
  const atRest = resting === 1 ? "1 instance is at rest." : `${resting} instances are at rest.`;
  if (running === 0) return `Nothing runs; \`portway up\` in a project starts it.${resting ? ` ${atRest}` : ""}`;
  return resting ? atRest : "";
}

const makeInstance = () =>
  element(
    "article",
    { class: "instance" },
    element("h2", {}, element("span"), element("span", { class: "state" })),
    element("p", { class: "branch" }),
    element("ul"),
  );

// A service that gets another address is another row: links do not turn into text.
const keyOf = ({ name, url, named_url }) => `${name} ${url} ${named_url}`;

function makeService({ name, url, named_url, ports }) {
  const [byName, byPort] = [named_url ?? url, url].map((one) => (one?.startsWith("http") ? one : null));
  const link = (href, name, text) =>
    href ? element("a", { class: name, href, text, title: href, target: "_blank", rel: "noopener" }) : element("span", { class: name, text });
  return element(
    "li",
    {},
    link(byName, "name", name),
    link(byPort, "port", ports.length > 0 ? String(ports[0].port) : ""),
    element("span", { class: "state" }),
  );
}

function updateService(row, { state, message }, isHere) {
  setAttribute(row, "aria-current", isHere ? "page" : null);
  setState(row.querySelector(".state"), state);
  setAttribute(row.querySelector(".state"), "title", message);
}

function setState(node, state) {
  setText(node, state ? stateInWords(state) : "");
  setAttribute(node, "data-mood", state && mood(state));
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

watch();
