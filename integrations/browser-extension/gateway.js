// The gateway's read API. Nothing else is asked, and nothing is ever sent.

import { ownPort } from "./settings.js";

// HTTP's own, and the gateway's own where it may not have that.
const USUAL = [80, 7678];

// How long an answer is waited for, in milliseconds.
const PATIENCE = 5000;

// Where one answered last; only a hint for where to look first.
let last = null;

// The ports on which a gateway is looked for.
export async function candidates() {
  const own = await ownPort();
  return own ? [own] : USUAL;
}

// The gateway that answers: { home, gateway, instances }, or null.
export async function ask() {
  const ports = await candidates();
  for (const port of [...ports].sort((a, b) => (b === last) - (a === last))) {
    const home = `http://portway.localhost:${port}`;
    try {
      const gateway = await read(`${home}/v1/gateway`);
      // Anybody may have port 80.
      if (typeof gateway?.version !== "string" || typeof gateway.port !== "number") continue;
      const instances = await read(`${home}/v1/instances`);
      last = port;
      return { home, gateway, instances };
    } catch {
      // Nobody there, or nobody who speaks so: the next one.
    }
  }
  return null;
}

async function read(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), credentials: "omit" });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response.json();
}

// Tells of the instances after each change, until the connection is lost.
export function follow(home, { onInstances, onLost }) {
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
