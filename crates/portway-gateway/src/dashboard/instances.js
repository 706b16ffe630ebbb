// Instances and their services: what they are, and the buttons that change them.

import { act, instancePath } from "./api.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { atRest, mood, stateInWords } from "./states.js";
import { age, bytes, count, displacedInWords, moment, percent } from "./words.js";

const COLUMNS = ["Service", "State", "Address", "Since", "Restarts", "CPU", "Memory", "Actions"];

// What is known of each element that stands for something.
const shown = new WeakMap();

export class Instances {
  #instances = [];
  #usage = new Map();
  #filter = "";
  #isKnown = false;

  // `open` shows logs and ports, `say` tells of what went wrong, `announce` of what has come about.
  constructor({ open, say, announce }) {
    Object.assign(this, { open, say, announce });
    this.list = byId("instances");
    setInterval(() => this.#ages(), 1000);
  }

  setInstances(instances) {
    this.#announceChanges(instances);
    this.#instances = instances;
    this.#isKnown = true;
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

  // The service whose row, or something in it, has the focus.
  get focused() {
    const row = document.activeElement?.closest?.("tr.service");
    return row ? { row, ...shown.get(row) } : null;
  }

  get rows() {
    return [...this.list.querySelectorAll("tr.service")];
  }

  focusRow(row) {
    for (const other of this.rows) other.tabIndex = other === row ? 0 : -1;
    row.focus();
  }

  startOrStop({ row }) {
    row.querySelector("button.toggle").click();
  }

  restart({ row }) {
    row.querySelector("button.restart").click();
  }

  logs({ instance, service }) {
    this.open.logs(instance.id, service.name);
  }

  visit({ service }) {
    const url = service.named_url ?? httpUrl(service);
    if (url) window.open(url, "_blank", "noopener");
  }

  #announceChanges(instances) {
    if (!this.#isKnown) return;
    const former = new Map(
      this.#instances.flatMap((one) => one.services.map((service) => [`${one.id}/${service.name}`, service.state])),
    );
    const changes = instances.flatMap((one) =>
      one.services
        .filter(({ name, state }) => {
          const before = former.get(`${one.id}/${name}`);
          return before && before !== state && ["ready", "stopped", "failed", "unhealthy"].includes(state);
        })
        .map(({ name, state }) => `${name} of ${one.name}: ${stateInWords(state)}`),
    );
    if (changes.length > 0) this.announce(changes.join("; "));
  }

  #draw() {
    const wanted = this.#instances.map((instance) => this.#filtered(instance)).filter(Boolean);
    keyed(
      this.list,
      wanted,
      ({ instance }) => instance.id,
      () => this.#makeInstance(),
      (card, { instance, services }) => this.#updateInstance(card, instance, services),
    );
    const rows = this.rows;
    if (rows.length > 0 && !rows.some((row) => row.tabIndex === 0)) rows[0].tabIndex = 0;
    const nothing = byId("nothing");
    nothing.hidden = wanted.length > 0 || !this.#isKnown;
    setText(
      nothing,
      this.#filter ? "Nothing here is called like that." : "No instance yet: `portway up` in a project makes one.",
    );
  }

  #filtered(instance) {
    const has = (...words) => words.some((word) => String(word ?? "").toLowerCase().includes(this.#filter));
    if (has(instance.name, instance.branch, instance.directory, instance.project)) {
      return { instance, services: instance.services };
    }
    const services = instance.services.filter((service) =>
      has(service.name, stateInWords(service.state), ...service.ports.map(({ port }) => port), ...(service.forwards ?? [])),
    );
    return services.length > 0 ? { instance, services } : null;
  }

  #makeInstance() {
    const part = (tag, name, properties = {}) => element(tag, { class: name, ...properties });
    const act = (verb) => (event) => this.#act(event.currentTarget, shown.get(card).instance, verb, []);
    const head = COLUMNS.map((name) => element("th", { scope: "col", role: "columnheader", text: name }));
    const card = element(
      "section",
      { class: "instance" },
      element(
        "div",
        { class: "title" },
        element("h2", {}, part("span", "name"), part("span", "state")),
        element("p", { class: "where" }, part("span", "branch"), part("span", "directory"), part("time", "age")),
        element(
          "div",
          { class: "actions" },
          element("button", { class: "start", onclick: act("start"), text: "Start all" }),
          element("button", { class: "restart", onclick: act("restart"), text: "Restart all" }),
          element("button", { class: "stop", onclick: act("stop"), text: "Stop all" }),
          element("button", { class: "logs", onclick: () => this.open.logs(shown.get(card).instance.id, ""), text: "Logs" }),
        ),
      ),
      element(
        "table",
        { role: "table" },
        element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...head)),
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
    const runs = instance.state !== "stopped";
    const allRun = runs && instance.services.every(({ state }) => !atRest(state) || state === "completed");
    hide(part("start"), allRun, part("stop"));
    hide(part("restart"), !runs, part("start"));
    hide(part("stop"), !runs, part("start"));
    for (const verb of ["start", "restart", "stop", "logs"]) {
      setAttribute(part(verb), "aria-label", `${part(verb).textContent} of ${instance.name}`);
    }
    setAttribute(card.querySelector("table"), "aria-label", `Services of ${instance.name}`);
    keyed(
      card.querySelector("tbody"),
      services,
      ({ name }) => name,
      () => this.#makeService(),
      (row, service) => this.#updateService(row, instance, service),
    );
  }

  #makeService() {
    const cells = COLUMNS.map((name) =>
      element("td", { class: `of-${name.toLowerCase()}`, role: "cell", "data-label": name }),
    );
    const row = element("tr", { class: "service", role: "row", tabindex: -1 }, ...cells);
    const [, state, address, since, , , , last] = cells;
    state.append(element("span", { class: "state" }), element("p", { class: "message" }));
    address.append(element("div", { class: "addresses" }));
    since.append(element("time", { class: "age" }));
    const act = (verb) => (event) => {
      const { instance, service } = shown.get(row);
      const chosen = verb ?? (atRest(service.state) ? "start" : "stop");
      this.#act(event.currentTarget, instance, chosen, [service.name]);
    };
    last.append(
      element(
        "div",
        { class: "actions" },
        element("button", { class: "restart", onclick: act("restart"), text: "Restart" }),
        element("button", { class: "toggle", onclick: act(null) }),
        element("button", { class: "logs", onclick: () => this.logs(shown.get(row)), text: "Logs" }),
      ),
    );
    row.addEventListener("focusin", () => {
      for (const other of this.rows) other.tabIndex = other === row ? 0 : -1;
    });
    return row;
  }

  #updateService(row, instance, service) {
    shown.set(row, { instance, service });
    const cell = (name) => row.querySelector(`td.of-${name}`);
    const rests = atRest(service.state);
    setAttribute(row, "aria-label", `${service.name}, ${stateInWords(service.state)}`);
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
    const [restart, toggle, logs] = row.querySelectorAll("button.toggle, button.restart, button.logs");
    setText(toggle, rests ? "Start" : "Stop");
    hide(restart, rests, toggle);
    for (const button of [toggle, restart, logs]) {
      setAttribute(button, "aria-label", `${button.textContent} ${service.name} of ${instance.name}`);
    }
  }

  #updateAddresses(list, instance, service) {
    const entries = [];
    if (service.named_url) entries.push({ key: "name", href: service.named_url, text: hostOf(service.named_url) });
    for (const port of service.forwards ?? []) {
      const href = `http://localhost:${port}`;
      entries.push({ key: `fixed ${port}`, href, text: `fixed ${port}`, title: `${href}, a fixed port` });
    }
    for (const { name, port, url, displaced, warning } of service.ports) {
      entries.push({
        key: `port ${name ?? ""}`,
        href: url.startsWith("http") ? url : null,
        text: name ? `${name} ${port}` : `${port}`,
        title: url,
      });
      if (displaced) {
        entries.push({
          key: `displaced ${port}`,
          text: displacedInWords(displaced),
          isUsual: this.#isUsual(displaced, instance),
          // No process uses a port that is excluded or reserved for the main checkout.
          who: ["excluded", "main_checkout"].includes(displaced.reason.type) ? null : displaced.wanted,
        });
      }
      if (warning) entries.push({ key: `warning ${port}`, text: `${port}: ${warning}`, isUsual: false });
    }
    keyed(
      list,
      entries,
      (entry) => `${entry.key} ${entry.href ? "link" : ""}${entry.who ? "who" : ""}`,
      (entry) => {
        if (entry.isUsual !== undefined) {
          const open = (event) => this.open.port(Number(event.currentTarget.dataset.port));
          const who = entry.who ? element("button", { class: "who", onclick: open, text: "Who?" }) : null;
          return element("p", {}, element("span"), who);
        }
        const kind = entry.key === "name" ? "name" : "port";
        return entry.href
          ? element("a", { class: kind, target: "_blank", rel: "noopener" })
          : element("span", { class: kind });
      },
      (made, entry) => {
        if (entry.isUsual !== undefined) {
          setAttribute(made, "class", entry.isUsual ? "displaced usual" : "displaced");
          setText(made.firstChild, entry.text);
          if (entry.who) {
            setAttribute(made.lastChild, "data-port", entry.who);
            setAttribute(made.lastChild, "aria-label", `Who has port ${entry.who}?`);
          }
          return;
        }
        if (entry.href) setAttribute(made, "href", entry.href);
        setAttribute(made, "title", entry.title);
        setText(made, entry.text);
      },
    );
  }

  // Whether a port went to another checkout of the same project, as it does with every worktree. One
  // that was forced should not have.
  #isUsual({ forced, reason }, { id, project }) {
    if (forced) return false;
    if (reason.type === "main_checkout") return true;
    if (reason.type !== "other_instance") return false;
    const others = this.#instances.filter((other) => other.project === project && other.id !== id);
    return others.some((other) => other.id === reason.id);
  }

  async #act(button, instance, verb, services) {
    if (button.getAttribute("aria-busy") === "true") return;
    setAttribute(button, "aria-busy", "true");
    try {
      await act(instancePath(instance.id, verb), { services });
    } catch (error) {
      error.message = `${instance.name}: ${error.message}`;
      this.say(error);
    } finally {
      setAttribute(button, "aria-busy", null);
    }
  }

  #ages() {
    for (const node of this.list.querySelectorAll("time[datetime]")) {
      setText(node, age(Date.parse(node.dateTime)));
    }
  }
}

// Hides a button, or shows it. Who has the focus there goes on at the button that is its counterpart.
function hide(button, isHidden, counterpart) {
  const hadFocus = document.activeElement === button;
  button.hidden = isHidden;
  if (isHidden && hadFocus) {
    counterpart.hidden = false;
    counterpart.focus();
  }
}

function setState(node, state) {
  setText(node, stateInWords(state));
  setAttribute(node, "data-mood", mood(state));
}

function setAge(node, since) {
  setAttribute(node, "datetime", since ? new Date(since).toISOString() : null);
  setAttribute(node, "title", since ? `since ${moment(since)}` : null);
  setText(node, age(since));
}

const hostOf = (url) => new URL(url).host;

const httpUrl = ({ url }) => (url?.startsWith("http") ? url : null);
