// The services view: instances, their services, and the buttons that control them.

import { instancePath, post } from "./api.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { age, bytes, count, dateTime, displacementReason, isReserved, percent } from "./format.js";
import { isIdle, stateLabel, stateText, toneOf } from "./states.js";

const COLUMNS = [
  ["service", "Service"],
  ["state", "State"],
  ["address", "Address"],
  ["since", "In state for"],
  ["restarts", "Restarts"],
  ["cpu", "CPU"],
  ["memory", "Memory"],
  ["actions", "Actions"],
];

// State changes that screen readers announce.
const ANNOUNCED_STATES = ["ready", "stopped", "failed", "unhealthy"];

const AGE_INTERVAL = 1000;

// The instance (and service) that an element currently shows.
const shown = new WeakMap();

export class Instances {
  #instances = [];
  #usage = new Map();
  #filter = "";
  #isLoaded = false;

  constructor({ openLogs, openPort, showError, announce }) {
    Object.assign(this, { openLogs, openPort, showError, announce });
    this.list = byId("instances");
    setInterval(() => this.#updateAges(), AGE_INTERVAL);
  }

  setInstances(instances) {
    this.#announceChanges(instances);
    this.#instances = instances;
    this.#isLoaded = true;
    this.#draw();
  }

  setUsage(services) {
    this.#usage = new Map(services.map((one) => [`${one.instance}/${one.service}`, one]));
    this.#draw();
  }

  setFilter(text) {
    this.#filter = text.trim().toLowerCase();
    this.#draw();
  }

  get(id) {
    return this.#instances.find((instance) => instance.id === id);
  }

  // The service whose row has or contains the focus, or null.
  get focused() {
    const row = document.activeElement?.closest?.("tr.service");
    return row ? { row, ...shown.get(row) } : null;
  }

  get rows() {
    return [...this.list.querySelectorAll("tr.service")];
  }

  focusRow(row) {
    this.#setTabStop(row);
    row.focus();
  }

  startOrStop({ row }) {
    row.querySelector("button.toggle").click();
  }

  restart({ row }) {
    row.querySelector("button.restart").click();
  }

  showLogs({ instance, service }) {
    this.openLogs(instance.id, service.name);
  }

  visit({ service }) {
    const url = service.named_url ?? httpUrl(service);
    if (url) window.open(url, "_blank", "noopener");
  }

  // Makes one row reachable with the Tab key and takes all others out of the tab order.
  #setTabStop(row) {
    for (const other of this.rows) other.tabIndex = other === row ? 0 : -1;
  }

  #announceChanges(instances) {
    if (!this.#isLoaded) return;
    const previous = new Map(
      this.#instances.flatMap((one) => one.services.map((service) => [`${one.id}/${service.name}`, service.state])),
    );
    const changes = instances.flatMap((one) =>
      one.services
        .filter(({ name, state }) => {
          const before = previous.get(`${one.id}/${name}`);
          return before && before !== state && ANNOUNCED_STATES.includes(state);
        })
        .map(({ name, state }) => `${name} of ${one.name}: ${stateText(state)}`),
    );
    if (changes.length > 0) this.announce(changes.join("; "));
  }

  #draw() {
    const matches = this.#instances.map((instance) => this.#applyFilter(instance)).filter(Boolean);
    keyed(
      this.list,
      matches,
      ({ instance }) => instance.id,
      () => this.#createInstance(),
      (card, { instance, services }) => this.#updateInstance(card, instance, services),
    );
    const rows = this.rows;
    if (rows.length > 0 && !rows.some((row) => row.tabIndex === 0)) rows[0].tabIndex = 0;
    const empty = byId("empty");
    empty.hidden = matches.length > 0 || !this.#isLoaded;
    setText(
      empty,
      this.#filter ? "No instance or service matches this filter." : "No instances yet. Run `portway up` in a project to start one.",
    );
  }

  // The instance and its services that match the filter; null if none does.
  #applyFilter(instance) {
    const matches = (...texts) => texts.some((text) => String(text ?? "").toLowerCase().includes(this.#filter));
    if (matches(instance.name, instance.branch, instance.directory, instance.project)) {
      return { instance, services: instance.services };
    }
    const services = instance.services.filter((service) =>
      matches(service.name, stateText(service.state), ...service.ports.map(({ port }) => port), ...(service.forwards ?? [])),
    );
    return services.length > 0 ? { instance, services } : null;
  }

  #createInstance() {
    const part = (tag, name) => element(tag, { class: name });
    const act = (action) => (event) => this.#act(event.currentTarget, shown.get(card).instance, action, []);
    const headings = COLUMNS.map(([, label]) => element("th", { scope: "col", role: "columnheader", text: label }));
    const card = element(
      "section",
      { class: "instance" },
      element(
        "div",
        { class: "title" },
        element("h2", {}, part("span", "name"), part("span", "state")),
        element("p", { class: "details" }, part("span", "branch"), part("span", "directory"), part("time", "age")),
        element(
          "div",
          { class: "actions" },
          element("button", { class: "start", onclick: act("start"), text: "Start all" }),
          element("button", { class: "restart", onclick: act("restart"), text: "Restart all" }),
          element("button", { class: "stop", onclick: act("stop"), text: "Stop all" }),
          element("button", { class: "logs", onclick: () => this.openLogs(shown.get(card).instance.id, ""), text: "Logs" }),
        ),
      ),
      part("p", "changed"),
      element(
        "table",
        { role: "table" },
        element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...headings)),
        element("tbody", { role: "rowgroup" }),
      ),
    );
    return card;
  }

  #updateInstance(card, instance, services) {
    shown.set(card, { instance });
    const part = (name) => card.querySelector(`.title .${name}`);
    setAttribute(card, "aria-label", `Instance ${instance.name}`);
    setAttribute(card, "data-state", instance.state);
    setText(part("name"), instance.name);
    setState(part("state"), instance.state);
    setText(part("branch"), instance.branch ?? "");
    setText(part("directory"), instance.directory);
    setAge(part("age"), instance.since);
    const changed = card.querySelector(":scope > .changed");
    const files = instance.changed_files ?? [];
    changed.hidden = files.length === 0;
    setText(changed, files.length > 0 ? `Manifest changed: ${files.join(", ")}. Run \`portway up\` to apply the change.` : "");
    const isRunning = instance.state !== "stopped";
    const isComplete = isRunning && instance.services.every(({ state }) => !isIdle(state) || state === "completed");
    setHidden(part("start"), isComplete, part("stop"));
    setHidden(part("restart"), !isRunning, part("start"));
    setHidden(part("stop"), !isRunning, part("start"));
    for (const action of ["start", "restart", "stop"]) {
      setAttribute(part(action), "aria-label", `${part(action).textContent} services of ${instance.name}`);
    }
    setAttribute(part("logs"), "aria-label", `Logs of ${instance.name}`);
    setAttribute(card.querySelector("table"), "aria-label", `Services of ${instance.name}`);
    keyed(
      card.querySelector("tbody"),
      services,
      ({ name }) => name,
      () => this.#createService(),
      (row, service) => this.#updateService(row, instance, service),
    );
  }

  #createService() {
    const cells = COLUMNS.map(([key, label]) => element("td", { class: `of-${key}`, role: "cell", "data-label": label }));
    const row = element("tr", { class: "service", role: "row", tabindex: -1 }, ...cells);
    const [, state, address, since, , , , actions] = cells;
    state.append(element("span", { class: "state" }), element("p", { class: "message" }));
    address.append(element("div", { class: "addresses" }));
    since.append(element("time", { class: "age" }));
    const act = (action) => (event) => {
      const { instance, service } = shown.get(row);
      this.#act(event.currentTarget, instance, action(service), [service.name]);
    };
    const toggle = ({ state }) => (isIdle(state) ? "start" : "stop");
    actions.append(
      element(
        "div",
        { class: "actions" },
        element("button", { class: "restart", onclick: act(() => "restart"), text: "Restart" }),
        element("button", { class: "toggle", onclick: act(toggle) }),
        element("button", { class: "logs", onclick: () => this.showLogs(shown.get(row)), text: "Logs" }),
      ),
    );
    row.addEventListener("focusin", () => this.#setTabStop(row));
    return row;
  }

  #updateService(row, instance, service) {
    shown.set(row, { instance, service });
    const cell = (key) => row.querySelector(`td.of-${key}`);
    setAttribute(row, "aria-label", `${service.name}, ${stateText(service.state)}`);
    setAttribute(row, "data-state", service.state);
    setText(cell("service"), service.name);
    setState(row.querySelector(".state"), service.state);
    setText(row.querySelector(".message"), service.message ?? "");
    this.#updateAddresses(row.querySelector(".addresses"), instance, service);
    setAge(row.querySelector(".age"), service.since);
    setText(cell("restarts"), service.restarts ? String(service.restarts) : "");
    const usage = this.#usage.get(`${instance.id}/${service.name}`);
    setText(cell("cpu"), usage ? percent(usage.cpu) : "");
    setText(cell("memory"), usage ? bytes(usage.memory) : "");
    setAttribute(cell("memory"), "title", usage ? count(usage.processes, "process", "processes") : null);
    const button = (name) => row.querySelector(`button.${name}`);
    setText(button("toggle"), isIdle(service.state) ? "Start" : "Stop");
    setHidden(button("restart"), isIdle(service.state), button("toggle"));
    const name = `${service.name} of ${instance.name}`;
    for (const one of [button("toggle"), button("restart")]) setAttribute(one, "aria-label", `${one.textContent} ${name}`);
    setAttribute(button("logs"), "aria-label", `Logs for ${name}`);
  }

  #updateAddresses(list, instance, service) {
    keyed(
      list,
      this.#addressEntries(instance, service),
      (entry) => `${entry.key} ${entry.href ? "link" : ""}${entry.detailsPort ? "details" : ""}`,
      (entry) => this.#createAddress(entry),
      updateAddress,
    );
  }

  // Links and notes in the address cell. Notes have a `tone`.
  #addressEntries(instance, service) {
    const entries = [];
    if (service.named_url) entries.push({ key: "name", href: service.named_url, text: new URL(service.named_url).host });
    for (const port of service.forwards ?? []) {
      const href = `http://localhost:${port}`;
      entries.push({ key: `fixed ${port}`, href, text: `fixed ${port}`, title: `${href} (fixed port)` });
    }
    for (const { name, port, url, displaced, warning } of service.ports) {
      entries.push({
        key: `port ${name ?? ""}`,
        href: url.startsWith("http") ? url : null,
        text: name ? `${name} ${port}` : `${port}`,
        title: url,
      });
      if (displaced) {
        const isHeld = displaced.reason.type !== "excluded" && !isReserved(displaced.reason);
        entries.push({
          key: `displaced ${port}`,
          text: displacementReason(displaced),
          tone: this.#isExpected(displaced, instance) ? "neutral" : "progress",
          detailsPort: isHeld ? displaced.wanted : null,
        });
      }
      if (warning) entries.push({ key: `warning ${port}`, text: `${port}: ${warning}`, tone: "progress" });
    }
    return entries;
  }

  #createAddress(entry) {
    if (entry.tone) {
      const open = (event) => this.openPort(Number(event.currentTarget.dataset.port));
      const details = entry.detailsPort ? element("button", { onclick: open, text: "Details" }) : null;
      return element("p", {}, element("span"), details);
    }
    const kind = entry.key === "name" ? "name" : "port";
    return entry.href
      ? element("a", { class: kind, target: "_blank", rel: "noopener" })
      : element("span", { class: kind });
  }

  // Whether another checkout of the same project has the preferred port, as is normal for
  // worktrees. A forced port must not be displaced.
  #isExpected({ forced, reason }, { id, project }) {
    if (forced) return false;
    if (isReserved(reason)) return true;
    if (reason.type !== "other_instance") return false;
    const siblings = this.#instances.filter((other) => other.project === project && other.id !== id);
    return siblings.some((other) => other.id === reason.id);
  }

  async #act(button, instance, action, services) {
    if (button.getAttribute("aria-busy") === "true") return;
    setAttribute(button, "aria-busy", "true");
    try {
      await post(instancePath(instance.id, action), { services });
    } catch (error) {
      error.message = `${instance.name}: ${error.message}`;
      this.showError(error);
    } finally {
      setAttribute(button, "aria-busy", null);
    }
  }

  #updateAges() {
    for (const node of this.list.querySelectorAll("time[datetime]")) {
      setText(node, age(Date.parse(node.dateTime)));
    }
  }
}

function updateAddress(node, entry) {
  if (entry.tone) {
    setAttribute(node, "class", entry.tone === "neutral" ? "displaced expected" : "displaced");
    setText(node.firstChild, entry.text);
    if (entry.detailsPort) {
      setAttribute(node.lastChild, "data-port", entry.detailsPort);
      setAttribute(node.lastChild, "aria-label", `Details of port ${entry.detailsPort}`);
    }
    return;
  }
  if (entry.href) setAttribute(node, "href", entry.href);
  setAttribute(node, "title", entry.title);
  setText(node, entry.text);
}

// Hides or shows a button. If the hidden button has the focus, the focus moves to `counterpart`.
function setHidden(button, isHidden, counterpart) {
  const hadFocus = document.activeElement === button;
  button.hidden = isHidden;
  if (isHidden && hadFocus) {
    counterpart.hidden = false;
    counterpart.focus();
  }
}

function setState(node, state) {
  setText(node, stateLabel(state));
  setAttribute(node, "data-tone", toneOf(state));
}

function setAge(node, since) {
  setAttribute(node, "datetime", since ? new Date(since).toISOString() : null);
  setAttribute(node, "title", since ? `Since ${dateTime(since)}` : null);
  setText(node, age(since));
}

const httpUrl = ({ url }) => (url?.startsWith("http") ? url : null);
