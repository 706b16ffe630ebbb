// Finds the gateway and reads its API. The extension sends no other requests and changes nothing.

import { configuredPort } from "./settings.js";

// The port of HTTP, and the one that the gateway uses where it may not listen on that.
const DEFAULT_PORTS = [80, 7678];

const REQUEST_TIMEOUT = 5000;

// The port of the gateway that was found last. It is checked first the next time.
let lastPort = null;

// The ports on which to look for a gateway.
export async function candidatePorts() {
  const port = await configuredPort();
  return port ? [port] : DEFAULT_PORTS;
}

// Returns { home, gateway, instances } of the gateway, or null if none responds.
export async function findGateway() {
  const ports = await candidatePorts();
  for (const port of [...ports].sort((a, b) => (b === lastPort) - (a === lastPort))) {
    const home = `http://portway.localhost:${port}`;
    try {
      const gateway = await read(`${home}/v1/gateway`);
      // Another server may listen on this port.
      if (typeof gateway?.version !== "string" || typeof gateway.port !== "number") continue;
      const instances = await read(`${home}/v1/instances`);
      lastPort = port;
      return { home, gateway, instances };
    } catch {
      // No server, or not a gateway: check the next port.
    }
  }
  return null;
}

async function read(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT), credentials: "omit" });
  if (!response.ok) throw new Error(`${url} returned HTTP status ${response.status}`);
  return response.json();
}

// Reports the instances after each change, until the connection is lost.
export function subscribe(home, { onInstances, onLost }) {
  const source = new EventSource(`${home}/v1/events`);
  source.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (event.type === "instances") onInstances(event.instances);
  };
  source.onerror = () => {
    source.close();
    onLost();
  };
}
