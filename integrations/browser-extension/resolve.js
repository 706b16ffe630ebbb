// Finds out which service responds at a URL, and whether its checkout has changed. Pure functions.

const DOMAIN = ".localhost";
const DASHBOARD = "portway";

// Returns what responds at `url`, according to the gateway's data:
// - null if the URL is not on this machine,
// - { kind: "dashboard" },
// - { kind: "service", instance, service, match }; `match` is "port", "name" or the path of a route,
// - { kind: "unknown" } for everything else on this machine.
export function resolve(url, { gateway, instances }) {
  const address = parseLocal(url);
  if (!address) return null;
  if (address.port !== gateway.port && address.port !== gateway.tls_port) return resolvePort(address, instances);
  const isDashboard = address.host === "localhost" || address.host === DASHBOARD + DOMAIN;
  return isDashboard ? { kind: "dashboard" } : resolveName(address, instances);
}

// Returns host, port and path of a URL on this machine, or null for any other URL.
function parseLocal(url) {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname, port, pathname } = new URL(url);
  const defaultPort = { "http:": 80, "https:": 443 }[protocol];
  const host = hostname.replace(/\.$/, "");
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(host) || host.endsWith(DOMAIN);
  return defaultPort && isLocal ? { host, port: Number(port || defaultPort), path: pathname } : null;
}

// Fixed ports take precedence: the gateway listens on them, even if a stopped service has the lease.
// Running instances take precedence over stopped ones, whose leased ports others may use.
function resolvePort({ port, path }, instances) {
  const runningFirst = [...instances].sort((a, b) => isRunning(b) - isRunning(a));
  const find = (matches) => {
    for (const instance of runningFirst) {
      const service = instance.services.find(matches);
      if (service) return { instance, service, match: "port" };
    }
    return null;
  };
  const fixed = find(({ forwards = [] }) => forwards.includes(port));
  if (fixed) return applyRoutes(fixed, path);
  const found = find(({ ports }) => ports.some((one) => one.port === port));
  return found ? { kind: "service", ...found } : { kind: "unknown" };
}

// Resolves names and routes like the gateway does (`names.rs` and `proxy/route.rs`).
function resolveName({ host, path }, instances) {
  const name = host.endsWith(DOMAIN) ? host.slice(0, -DOMAIN.length) : "";
  let instance = instances.find((one) => one.name === name);
  let service = instance?.services.find((one) => one.name === instance.main);
  if (!instance) {
    const [label, ...rest] = name.split(".");
    instance = instances.find((one) => one.name === rest.join("."));
    service = instance?.services.find((one) => one.url?.startsWith("http://") && hostLabel(one.name) === label);
  }
  if (!service) return { kind: "unknown" };
  return applyRoutes({ instance, service, match: "name" }, path);
}

// Path routes of the main service can route to other services.
function applyRoutes({ instance, service, match }, path) {
  const route = service.name === instance.main ? longestRoute(path, instance.routes ?? []) : null;
  const target = route && instance.services.find((one) => one.name === route.service);
  return { kind: "service", instance, service: target ?? service, match: route?.path ?? match };
}

// The longest route whose path is a prefix of `path`, in whole segments.
function longestRoute(path, routes) {
  const matching = routes.filter((route) => path === route.path || path.startsWith(`${route.path}/`));
  return matching.sort((a, b) => b.path.length - a.path.length)[0] ?? null;
}

// Converts the name of a service to a host name label.
export function hostLabel(text) {
  const label = text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-/, "").slice(0, 40).replace(/-+$/, "");
  return label || "project";
}

export const isRunning = ({ state }) => state !== "stopped";

// The checkout behind a resolved URL, as a page remembers it; null if no running service responds.
export function checkoutOf(resolved) {
  if (resolved?.kind !== "service" || !isRunning(resolved.instance)) return null;
  const { id, name, branch = null, directory } = resolved.instance;
  return { id, name, branch, directory };
}

// Compares two checkouts: "checkout", "branch", or null if nothing changed or one is unknown.
export function detectChange(loaded, current) {
  if (!loaded || !current) return null;
  if (loaded.id !== current.id) return "checkout";
  return loaded.branch === current.branch ? null : "branch";
}
