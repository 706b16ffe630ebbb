// Fixed ports of the gateway: where each leads, and how that is changed.

import { act } from "./api.js";
import { byId, element, keyed, setAttribute, setText } from "./dom.js";
import { fault, portIn } from "./fields.js";

const addressOf = (port) => `http://localhost:${port}`;

export class FixedPorts {
  #services = new Map();

  // `changed` is told, and waited for, when a port was made to lead elsewhere or let go.
  constructor({ say, announce, changed }) {
    Object.assign(this, { say, announce, changed });
    this.list = byId("fixed-ports");
    this.port = byId("fixed-port");
    this.service = byId("fixed-service");
    byId("fixed-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#lead();
    });
    this.setInstances([]);
  }

  // Those that run HTTP services are what a fixed port can be led to.
  setInstances(instances) {
    const running = instances.filter(({ state }) => state !== "stopped");
    const services = running.flatMap((instance) =>
      instance.services
        .filter(({ url }) => url?.startsWith("http://"))
        .map(({ name }) => ({ key: `${instance.id}/${name}`, id: instance.id, service: name, text: `${name} of ${instance.name}` })),
    );
    this.#services = new Map(services.map((one) => [one.key, one]));
    // The first stays chosen until a person chooses, and again when what was chosen goes.
    const none = { key: "", text: services.length > 0 ? "choose a service" : "no HTTP service runs" };
    keyed(
      this.service,
      [none, ...services],
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
      ({ port }) => this.#make(port),
      (item, forward) => this.#update(item, forward),
    );
  }

  #make(port) {
    return element(
      "li",
      {},
      element("a", { href: addressOf(port), target: "_blank", rel: "noopener", text: addressOf(port) }),
      element("p", {}, element("span"), element("span", { class: "wrong" })),
      element(
        "div",
        { class: "actions" },
        element("button", { onclick: () => this.#choose(port), text: "Lead elsewhere…", "aria-label": `Lead port ${port} elsewhere` }),
        element("button", { onclick: () => this.#letGoHere(port), text: "Let go", "aria-label": `Let go of port ${port}` }),
      ),
    );
  }

  #update(item, { service, instance, trouble }) {
    const [where, wrong] = item.querySelectorAll("span");
    setText(where, `leads to ${service} of ${instance}`);
    setText(wrong, trouble ? `, but does not serve: ${trouble}` : "");
  }

  // What is missing is the service.
  #choose(port) {
    this.port.value = port;
    fault(this.port);
    this.service.focus();
  }

  async #lead() {
    const port = portIn(this.port);
    if (port === null) return;
    const chosen = this.#services.get(this.service.value);
    fault(this.service, chosen ? "" : "Choose the service that it shall lead to.");
    if (!chosen) return;
    const { id, service, text } = chosen;
    try {
      await act(`/v1/forwards/${port}`, { id, service });
      this.announce(`${addressOf(port)} leads to ${text}`);
      this.port.value = "";
      this.service.value = "";
      await this.changed();
    } catch (error) {
      this.say(error);
    }
  }

  // The gateway listens there no more, then.
  async letGo(port) {
    try {
      await act(`/v1/forwards/${port}/end`, {});
      this.announce(`port ${port} is let go`);
      await this.changed();
    } catch (error) {
      this.say(error);
    }
  }

  // The same from its line, which goes, and with it the focus.
  async #letGoHere(port) {
    await this.letGo(port);
    if (document.activeElement === document.body) this.port.focus();
  }
}
