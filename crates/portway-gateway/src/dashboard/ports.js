// The ports view: a map of all ports, the details of one port, and the dialog that frees it.

import { get, post } from "./api.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { readPort } from "./fields.js";
import { FixedPorts } from "./fixed-ports.js";
import { age, count } from "./format.js";

// In a range with more ports than this, the map shows only the ports that are used.
const MAX_CELLS = 400;

const POLL_INTERVAL = 3000;

export class Ports {
  #timer = 0;
  #selected = null;
  #map = null;
  #gateway = null;

  constructor({ showError, announce }) {
    Object.assign(this, { showError, announce });
    this.ranges = byId("ranges");
    this.details = byId("port-details");
    this.fixedPorts = new FixedPorts({ showError, announce, onChange: () => this.#refresh() });
    byId("port-lookup").addEventListener("submit", (event) => {
      event.preventDefault();
      const port = readPort(byId("port-number"));
      if (port === null) this.#deselect();
      else this.select(port, { moveFocus: true });
    });
    document.addEventListener("visibilitychange", () => this.#timer && !document.hidden && this.#refresh());
  }

  show() {
    this.#refresh();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => document.hidden || this.#refresh(), POLL_INTERVAL);
  }

  hide() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  setInstances(instances) {
    this.fixedPorts.setInstances(instances);
  }

  // Shows the details of a port.
  async select(port, { moveFocus = false } = {}) {
    this.#selected = port;
    try {
      const report = await get(`/v1/ports/${port}`);
      if (!this.#map) await this.#load();
      // The user may have selected another port meanwhile.
      if (this.#selected !== port) return;
      this.#showDetails(report);
      this.#markSelected();
      if (moveFocus) {
        this.details.scrollIntoView({ block: "nearest" });
        this.details.focus({ preventScroll: true });
      }
    } catch (error) {
      if (this.#selected === port) this.#deselect();
      this.showError(error);
    }
  }

  async #load() {
    [this.#map, this.#gateway] = await Promise.all([get("/v1/ports"), get("/v1/gateway")]);
  }

  async #refresh() {
    try {
      await this.#load();
      this.fixedPorts.setForwards(this.#gateway.forwards ?? []);
      this.#draw();
      if (this.#selected) await this.select(this.#selected);
    } catch (error) {
      // With a map on the page, the connection status already reports that the gateway is gone.
      if (!this.#map) this.showError(error);
    }
  }

  #draw() {
    const reports = new Map(this.#map.ports.map((report) => [report.port, report]));
    const excluded = new Map(this.#map.excluded.map(({ port, reason }) => [port, reason]));
    const groups = this.#map.ranges.map(({ name, first, last }) => {
      const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
      const isWhole = numbers.length <= MAX_CELLS;
      const ports = isWhole ? numbers : numbers.filter((port) => reports.has(port));
      return { name, range: first === last ? `${first}` : `${first}–${last}`, ports, isWhole };
    });
    const others = this.#map.ports.map(({ port }) => port).filter((port) => !this.#isInRange(port));
    if (others.length > 0) groups.push({ name: "Outside the ranges", range: "", ports: others, isWhole: false });
    // Ranges with used ports come first.
    const isUsed = ({ ports }) => ports.some((port) => reports.has(port));
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
    this.#markSelected();
  }

  #updateRange(section, { name, range, ports, isWhole }, reports, excluded) {
    const used = ports.filter((port) => reports.has(port)).length;
    setText(section.querySelector(".name"), name);
    setText(section.querySelector(".numbers"), range);
    setText(section.querySelector("small"), isWhole ? `${used} of ${ports.length} used` : count(used, "port"));
    setAttribute(section, "aria-label", `${name} ${range}`);
    const cells = section.querySelector(".cells");
    setAttribute(cells, "data-whole", isWhole ? "true" : null);
    keyed(
      cells,
      ports.map((port) => ({ port, ...this.#describe(port, reports.get(port), excluded.get(port)) })),
      // Free ports are not buttons: they would add a hundred tab stops to each range.
      ({ port, kind }) => `${port}${kind === "free" ? "" : " used"}`,
      ({ port, kind }) =>
        kind === "free"
          ? element("span", { class: "cell free", "data-port": port })
          : element("button", { "data-port": port, onclick: () => this.select(port, { moveFocus: true }) }),
      (cell, { port, kind, text }) => {
        setText(cell, isWhole ? String(port % 100).padStart(2, "0") : String(port));
        setAttribute(cell, "title", `${port}: ${text}`);
        if (kind === "free") {
          setAttribute(cell, "aria-hidden", "true");
        } else {
          setAttribute(cell, "class", `cell ${kind}`);
          setAttribute(cell, "aria-label", `Port ${port}: ${text}`);
        }
      },
    );
  }

  #isInRange(port) {
    return this.#map.ranges.some(({ first, last }) => first <= port && port <= last);
  }

  // The kind of a port, which is also its CSS class, and a description.
  #describe(port, report, excluded = report?.excluded) {
    const gatewayUse = describeGatewayUse(port, this.#gateway);
    if (gatewayUse) return { kind: "gateway", text: gatewayUse };
    const description = describeUse(report, excluded);
    // A process on a port that no service wants is not a conflict.
    const isWanted = this.#isInRange(port) || report?.lease || this.#forward(port);
    return description.kind === "conflict" && !isWanted ? { ...description, kind: "outside" } : description;
  }

  #forward(port) {
    return this.#gateway.forwards?.find((one) => one.port === port);
  }

  #markSelected() {
    for (const cell of this.ranges.querySelectorAll("button.cell")) {
      setAttribute(cell, "aria-pressed", Number(cell.dataset.port) === this.#selected);
    }
  }

  #showDetails(report) {
    const { kind, text } = this.#describe(report.port, report);
    const forward = this.#forward(report.port);
    const content = JSON.stringify([report, kind, text, forward]);
    // The region is live and may have the focus, so redraw it only after a change.
    if (this.details.dataset.content === content && !this.details.hidden) return;
    const hadFocus = this.details.contains(document.activeElement);
    this.details.dataset.content = content;
    const { lease } = report;
    const canBeFreed = ["listening", "held", "bound"].includes(report.state) && kind !== "gateway";
    this.details.replaceChildren(
      element("h2", {}, element("i", { class: `cell ${kind}`, "aria-hidden": "true" }), ` Port ${report.port}: ${text}`),
      ...(lease ? [definitions({ "Leased to": `${lease.service} of ${lease.instance}`, Checkout: lease.directory })] : []),
      ...(forward?.trouble ? [definitions({ "Routes to": `${forward.service} of ${forward.instance}`, Problem: forward.trouble })] : []),
      ...report.holders.map(describeHolder),
      ...(report.excluded && report.state !== "free" ? [element("p", { text: `Excluded from automatic selection: ${report.excluded}` })] : []),
      ...(report.hints ?? []).map((hint) => element("p", { text: hint })),
      element(
        "div",
        { class: "dialog-actions" },
        canBeFreed ? element("button", { class: "danger", onclick: () => this.#free(report.port), text: "Free port…" }) : null,
        forward ? element("button", { onclick: () => this.fixedPorts.remove(report.port), text: "Remove fixed port" }) : null,
        element("button", { onclick: () => this.#close(), text: "Close" }),
      ),
    );
    this.details.hidden = false;
    if (hadFocus) this.details.focus({ preventScroll: true });
  }

  #deselect() {
    this.#selected = null;
    this.details.hidden = true;
    this.#markSelected();
  }

  #close() {
    const cell = this.ranges.querySelector(`button[data-port="${this.#selected}"]`);
    this.#deselect();
    (cell ?? byId("port-number")).focus();
  }

  // Shows what freeing the port would stop, and frees it if the user confirms.
  async #free(port) {
    try {
      const planned = await post(`/v1/ports/${port}/free`, { dry_run: true });
      if (!(await confirmFree(planned))) return;
      await post(`/v1/ports/${port}/free`, { dry_run: false });
      this.announce(`Port ${port} is free`);
      await this.#refresh();
    } catch (error) {
      this.showError(error);
    }
  }
}

// A description list of the entries that have a value.
function definitions(entries) {
  const items = Object.entries(entries).filter(([, value]) => value);
  return element("dl", {}, ...items.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]));
}

function describeHolder({ process, user, addresses, parents, container }) {
  return definitions({
    Process: process ? `${process.name} (pid ${process.pid}), running for ${age(process.since)}` : "not visible to this user",
    Command: process?.command,
    Directory: process?.directory,
    User: user,
    Addresses: addresses.join(", "),
    "Started by": parents?.map(({ name, pid }) => `${name} (${pid})`).join(" ← "),
    Container: container,
  });
}

// What the gateway uses a port for; null if it does not listen there.
function describeGatewayUse(port, gateway) {
  if (port === gateway.port) return "Portway gateway (HTTP)";
  if (port === gateway.tls_port) return "Portway gateway (HTTPS)";
  const fixed = gateway.forwards?.find((one) => one.port === port && !one.trouble);
  return fixed ? `fixed port, routes to ${fixed.service} of ${fixed.instance}` : null;
}

// The kind and description of a port on which the gateway does not listen.
function describeUse(report, excluded) {
  if (!report || report.state === "free") {
    return excluded ? { kind: "excluded", text: `free, but excluded: ${excluded}` } : { kind: "free", text: "free" };
  }
  const { lease } = report;
  const leaseholder = lease ? `${lease.service} of ${lease.instance}` : "";
  switch (report.state) {
    case "held":
      return { kind: "held", text: `held for ${leaseholder}` };
    case "kept":
      return { kind: "leased", text: `leased to ${leaseholder}` };
    case "listening": {
      const service = report.holders.find((one) => one.service)?.service;
      if (service) return { kind: "service", text: `${service.service} of ${service.instance}` };
      const use = `in use by ${processName(report.holders[0])}`;
      return { kind: "conflict", text: lease ? `${use}, but leased to ${leaseholder}` : use };
    }
    default:
      return { kind: "conflict", text: `bound by ${processName(report.holders[0])}` };
  }
}

function processName(holder) {
  if (holder?.process) return `${holder.process.name} (pid ${holder.process.pid})`;
  return holder ? `a process of user ${holder.user}` : "an unknown process";
}

// Asks the user whether to free the port. `processes` or `service` would be stopped.
function confirmFree({ port, processes, service }) {
  const dialog = byId("confirm");
  setText(byId("confirm-title"), `Free port ${port}?`);
  const body = service
    ? [element("p", { text: `This stops ${service.service} of ${service.instance}. You can start it again later.` })]
    : [
        element("p", { text: `This stops ${count(processes.length, "process", "processes")}:` }),
        element("ul", {}, ...processes.map(({ pid, command, name }) => element("li", {}, element("b", { text: `${pid} ` }), command || name))),
      ];
  byId("confirm-body").replaceChildren(...body);
  setText(byId("confirm-yes"), service ? "Stop service" : `Stop ${processes.length === 1 ? "process" : "processes"}`);
  return new Promise((resolve) => {
    const onConfirm = () => dialog.close("yes");
    byId("confirm-yes").addEventListener("click", onConfirm, { once: true });
    byId("confirm-no").onclick = () => dialog.close("no");
    dialog.returnValue = "no";
    dialog.addEventListener(
      "close",
      () => {
        byId("confirm-yes").removeEventListener("click", onConfirm);
        resolve(dialog.returnValue === "yes");
      },
      { once: true },
    );
    dialog.showModal();
  });
}
