// The map of the ports: who has which, and how one is freed.

import { act, look } from "./api.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { portIn } from "./fields.js";
import { FixedPorts } from "./fixed.js";
import { age, count } from "./words.js";

// A range with more ports than this is shown by those that somebody has.
const MOST_CELLS = 400;

const EVERY = 3000;

export class Ports {
  #timer = 0;
  #chosen = null;
  #map = null;
  #gateway = null;

  constructor({ say, announce }) {
    Object.assign(this, { say, announce });
    this.ranges = byId("ranges");
    this.detail = byId("port-detail");
    this.fixed = new FixedPorts({ say, announce, changed: () => this.#refresh() });
    byId("look-up").addEventListener("submit", (event) => {
      event.preventDefault();
      const port = portIn(byId("port-number"));
      if (port === null) this.#clear();
      else this.choose(port, true);
    });
    document.addEventListener("visibilitychange", () => this.#timer && !document.hidden && this.#refresh());
  }

  show() {
    this.#refresh();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => document.hidden || this.#refresh(), EVERY);
  }

  setInstances(instances) {
    this.fixed.setInstances(instances);
  }

  hide() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  // Tells of one port. `byPerson`: then the focus goes to what is told.
  async choose(port, byPerson = false) {
    this.#chosen = port;
    try {
      const report = await look(`/v1/ports/${port}`);
      if (!this.#map) await this.#know();
      if (this.#chosen !== port) return;
      this.#tell(report);
      this.#mark();
      if (byPerson) {
        this.detail.scrollIntoView({ block: "nearest" });
        this.detail.focus({ preventScroll: true });
      }
    } catch (error) {
      if (this.#chosen === port) this.#clear();
      this.say(error);
    }
  }

  async #know() {
    [this.#map, this.#gateway] = await Promise.all([look("/v1/ports"), look("/v1/gateway")]);
  }

  async #refresh() {
    try {
      await this.#know();
      this.fixed.setForwards(this.#gateway.forwards ?? []);
      this.#draw();
      if (this.#chosen) await this.choose(this.#chosen);
    } catch (error) {
      // The map stays as it was; that the gateway is lost is shown by the connection.
      if (!this.#map) this.say(error);
    }
  }

  #draw() {
    const reports = new Map(this.#map.ports.map((report) => [report.port, report]));
    const excluded = new Map(this.#map.excluded.map(({ port, reason }) => [port, reason]));
    const groups = this.#map.ranges.map(({ name, first, last }) => {
      const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
      const few = numbers.length <= MOST_CELLS;
      const shown = few ? numbers : numbers.filter((port) => reports.has(port));
      return { name, range: first === last ? `${first}` : `${first}–${last}`, shown, isWhole: few };
    });
    const others = this.#map.ports.map(({ port }) => port).filter((port) => !this.#isInRange(port));
    if (others.length > 0) groups.push({ name: "elsewhere", range: "", shown: others, isWhole: false });
    // What is in use comes first; within that the order stays.
    const isUsed = ({ shown }) => shown.some((port) => reports.has(port));
    groups.sort((a, b) => isUsed(b) - isUsed(a));
    keyed(
      this.ranges,
      groups,
      ({ name }) => name,
      () =>
        element(
          "section",
          { class: "range" },
          element("h2", {}, element("span", { class: "name" }), " ", element("span", { class: "numbers" }), " ", element("small")),
          element("div", { class: "cells" }),
        ),
      (section, group) => this.#updateRange(section, group, reports, excluded),
    );
    this.#mark();
  }

  #updateRange(section, { name, range, shown, isWhole }, reports, excluded) {
    const used = shown.filter((port) => reports.has(port)).length;
    setText(section.querySelector(".name"), name);
    setText(section.querySelector(".numbers"), range);
    setText(section.querySelector("small"), isWhole ? `${used} of ${shown.length} taken` : count(used, "port"));
    setAttribute(section, "aria-label", `${name} ${range}`);
    const cells = section.querySelector(".cells");
    setAttribute(cells, "data-whole", isWhole ? "true" : null);
    keyed(
      cells,
      shown.map((port) => ({ port, ...this.#kindOf(port, reports.get(port), excluded.get(port)) })),
      // A free one is no button: nobody wants to pass a hundred of them with the Tab key.
      ({ port, isFree }) => `${port}${isFree ? "" : " taken"}`,
      ({ port, isFree }) =>
        isFree
          ? element("span", { class: "cell free", "data-port": port })
          : element("button", { "data-port": port, onclick: () => this.choose(port, true) }),
      (cell, { port, isFree, kind, words }) => {
        setText(cell, isWhole ? String(port % 100).padStart(2, "0") : String(port));
        setAttribute(cell, "title", `${port}: ${words}`);
        if (isFree) {
          setAttribute(cell, "aria-hidden", "true");
        } else {
          setAttribute(cell, "class", `cell ${kind}`);
          setAttribute(cell, "aria-label", `Port ${port}: ${words}`);
        }
      },
    );
  }

  #isInRange(port) {
    return this.#map.ranges.some(({ first, last }) => first <= port && port <= last);
  }

  // How a port looks, and what it is in words.
  #kindOf(port, report, excluded = report?.excluded) {
    const use = ownUse(port, this.#gateway);
    if (use) return { kind: "gateway", words: use };
    const is = kindOf(report, excluded);
    // Somebody's port blocks nobody where nobody wants it.
    const blocks = this.#isInRange(port) || report?.lease || this.#forward(port);
    return is.kind === "stranger" && !blocks ? { ...is, kind: "other" } : is;
  }

  #forward(port) {
    return this.#gateway.forwards?.find((one) => one.port === port);
  }

  #mark() {
    for (const cell of this.ranges.querySelectorAll("button.cell")) {
      setAttribute(cell, "aria-pressed", Number(cell.dataset.port) === this.#chosen);
    }
  }

  #tell(report) {
    const { kind, words } = this.#kindOf(report.port, report);
    const forward = this.#forward(report.port);
    const text = JSON.stringify([report, kind, words, forward]);
    // Told again only when it has changed: it is a live region, and may hold the focus.
    if (this.detail.dataset.told === text && !this.detail.hidden) return;
    const hadFocus = this.detail.contains(document.activeElement);
    this.detail.dataset.told = text;
    const entry = (name, value) => (value ? [element("dt", { text: name }), element("dd", { text: value })] : []);
    const holders = report.holders.map((holder) => {
      const { process } = holder;
      const parents = holder.parents?.map(({ name, pid }) => `${name} (${pid})`).join(" ← ");
      return element(
        "dl",
        {},
        ...entry("Process", process ? `${process.name}, pid ${process.pid}, since ${age(process.since)}` : "hidden by the system"),
        ...entry("Command", process?.command),
        ...entry("Directory", process?.directory),
        ...entry("User", holder.user),
        ...entry("Addresses", holder.addresses.join(", ")),
        ...entry("Started by", parents),
        ...entry("Container", holder.container),
      );
    });
    const canBeFreed = ["listening", "held", "bound"].includes(report.state) && kind !== "gateway";
    const lease = report.lease;
    this.detail.replaceChildren(
      element("h2", {}, element("i", { class: `cell ${kind}`, "aria-hidden": "true" }), ` Port ${report.port}: ${words}`),
      ...(lease ? [element("dl", {}, ...entry("Kept for", `${lease.service} of ${lease.instance}`), ...entry("Checkout", lease.directory))] : []),
      ...(forward?.trouble ? [element("dl", {}, ...entry("Leads to", `${forward.service} of ${forward.instance}`), ...entry("Trouble", forward.trouble))] : []),
      ...holders,
      ...(report.excluded && report.state !== "free" ? [element("p", { text: `Not given out unless asked for: ${report.excluded}` })] : []),
      ...(report.hints ?? []).map((hint) => element("p", { text: hint })),
      element(
        "div",
        { class: "choices" },
        canBeFreed ? element("button", { class: "danger", onclick: () => this.#free(report.port), text: "Free…" }) : null,
        forward ? element("button", { onclick: () => this.fixed.letGo(report.port), text: "Let go" }) : null,
        element("button", { onclick: () => this.#close(), text: "Close" }),
      ),
    );
    this.detail.hidden = false;
    if (hadFocus) this.detail.focus({ preventScroll: true });
  }

  #clear() {
    this.#chosen = null;
    this.detail.hidden = true;
    this.#mark();
  }

  #close() {
    const cell = this.ranges.querySelector(`button[data-port="${this.#chosen}"]`);
    this.#clear();
    (cell ?? byId("port-number")).focus();
  }

  // Shows what would be ended, asks, ends it.
  async #free(port) {
    try {
      const planned = await act(`/v1/ports/${port}/free`, { dry_run: true });
      if (!(await confirm(planned))) return;
      await act(`/v1/ports/${port}/free`, { dry_run: false });
      this.announce(`port ${port} is free`);
      await this.#refresh();
    } catch (error) {
      this.say(error);
    }
  }
}

// What the gateway itself does with a port, in words; nothing where it does not listen there.
function ownUse(port, gateway) {
  if (port === gateway.port) return "the gateway, names by HTTP";
  if (port === gateway.tls_port) return "the gateway, names by HTTPS";
  const fixed = gateway.forwards?.find((one) => one.port === port && !one.trouble);
  return fixed ? `fixed, leads to ${fixed.service} of ${fixed.instance}` : null;
}

// How a port that is not the gateway's looks, and what it is in words.
function kindOf(report, excluded) {
  const lease = report?.lease;
  const owner = lease ? `${lease.service} of ${lease.instance}` : "";
  if (!report || report.state === "free") {
    if (!excluded) return { kind: "free", isFree: true, words: "free" };
    return { kind: "excluded", words: `free, but not given out: ${excluded}` };
  }
  const holder = report.holders[0];
  const who = holder?.process?.name ?? (holder ? `a process of ${holder.user}` : "somebody");
  switch (report.state) {
    case "held":
      return { kind: "held", words: `held for ${owner}` };
    case "kept":
      return { kind: "kept", words: `kept for ${owner}` };
    case "listening": {
      const service = report.holders.find((one) => one.service)?.service;
      if (service) return { kind: "service", words: `${service.service} of ${service.instance}` };
      return { kind: "stranger", words: owner ? `${who}, although it is kept for ${owner}` : who };
    }
    default:
      return { kind: "stranger", words: `bound by ${who}` };
  }
}

// Asks whether what would be done shall be done.
function confirm({ port, processes, service }) {
  const dialog = byId("confirm");
  setText(byId("confirm-title"), `Free port ${port}?`);
  const body = service
    ? [element("p", { text: `${service.service} of ${service.instance} would be stopped. It can be started again.` })]
    : [
        element("p", { text: `${count(processes.length, "process", "processes")} would be ended:` }),
        element("ul", {}, ...processes.map(({ pid, command, name }) => element("li", {}, element("b", { text: `${pid} ` }), command || name))),
      ];
  byId("confirm-body").replaceChildren(...body);
  setText(byId("confirm-yes"), service ? "Stop it" : "End it");
  return new Promise((resolve) => {
    const yes = () => {
      dialog.close("yes");
    };
    byId("confirm-yes").addEventListener("click", yes, { once: true });
    byId("confirm-no").onclick = () => dialog.close("no");
    dialog.returnValue = "no";
    dialog.addEventListener(
      "close",
      () => {
        byId("confirm-yes").removeEventListener("click", yes);
        resolve(dialog.returnValue === "yes");
      },
      { once: true },
    );
    dialog.showModal();
  });
}
