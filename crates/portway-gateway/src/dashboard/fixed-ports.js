// The fixed ports of the gateway: shows where each one routes to, adds, changes and removes them.

import { post } from "./api.js";
import { byId, element, keyed, setText } from "./dom.js";
import { readPort, setFieldError } from "./fields.js";

const addressOf = (port) => `http://localhost:${port}`;

export class FixedPorts {
  #services = new Map();

  // `onChange` is awaited after every change of a fixed port.
  constructor({ showError, announce, onChange }) {
    Object.assign(this, { showError, announce, onChange });
    this.list = byId("fixed-ports");
    this.port = byId("fixed-port");
    this.service = byId("fixed-service");
    byId("fixed-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.setInstances([]);
  }

  // Offers the HTTP services of running instances as targets.
  setInstances(instances) {
    const running = instances.filter(({ state }) => state !== "stopped");
    const services = running.flatMap((instance) =>
      instance.services
        .filter(({ url }) => url?.startsWith("http://"))
        .map(({ name }) => ({ key: `${instance.id}/${name}`, id: instance.id, service: name, text: `${name} of ${instance.name}` })),
    );
    this.#services = new Map(services.map((one) => [one.key, one]));
    // The browser selects this entry first, and again when the selected service disappears.
    const placeholder = { key: "", text: services.length > 0 ? "Choose a service" : "No HTTP service is running" };
    keyed(
      this.service,
      [placeholder, ...services],
      ({ key }) => key,
      ({ key }) => element("option", { value: key }),
      (option, { text }) => setText(option, text),
    );
  }

  setForwards(forwards) {
    this.list.hidden = forwards.length === 0;
    keyed(
      this.list,
      forwards,
      ({ port }) => port,
      ({ port }) => this.#createItem(port),
      (item, forward) => this.#updateItem(item, forward),
    );
  }

  #createItem(port) {
    return element(
      "li",
      {},
      element("a", { href: addressOf(port), target: "_blank", rel: "noopener", text: addressOf(port) }),
      element("p", {}, element("span"), element("span", { class: "field-error" })),
      element(
        "div",
        { class: "actions" },
        element("button", { onclick: () => this.#edit(port), text: "Change…", "aria-label": `Change fixed port ${port}` }),
        element("button", { onclick: () => this.#removeItem(port), text: "Remove", "aria-label": `Remove fixed port ${port}` }),
      ),
    );
  }

  #updateItem(item, { service, instance, trouble }) {
    const [target, problem] = item.querySelectorAll("span");
    setText(target, `routes to ${service} of ${instance}`);
    setText(problem, trouble ? ` (not available: ${trouble})` : "");
  }

  // Fills in the port, so that only the service is left to choose.
  #edit(port) {
    this.port.value = port;
    setFieldError(this.port);
    this.service.focus();
  }

  async #submit() {
    const port = readPort(this.port);
    if (port === null) return;
    const target = this.#services.get(this.service.value);
    setFieldError(this.service, target ? "" : "Choose a service for this port.");
    if (!target) return;
    const { id, service, text } = target;
    try {
      await post(`/v1/forwards/${port}`, { id, service });
      this.announce(`Fixed port ${port} routes to ${text}`);
      this.port.value = "";
      this.service.value = "";
      await this.onChange();
    } catch (error) {
      this.showError(error);
    }
  }

  async remove(port) {
    try {
      await post(`/v1/forwards/${port}/end`, {});
      this.announce(`Fixed port ${port} removed`);
      await this.onChange();
    } catch (error) {
      this.showError(error);
    }
  }

  // Removes a port by the button in its list item. The button disappears, so the focus moves on.
  async #removeItem(port) {
    await this.remove(port);
    if (document.activeElement === document.body) this.port.focus();
  }
}
