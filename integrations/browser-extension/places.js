// Which service answers at a URL, and whether that is still the checkout it was: functions from
// values to values.

const DOMAIN = ".localhost";
const DASHBOARD = "portway";

// What answers at `url`, by what the gateway says:
// null, where that is not on this machine;
// { kind: "dashboard" };
// { kind: "service", instance, service, by }, `by` being "port", "name" or the path of a route;
// { kind: "stranger" }, for all else.
export function find(url, { gateway, instances }) {
  const place = local(url);
  if (!place) return null;
  if (place.port !== gateway.port && place.port !== gateway.tls_port) return byPort(place, instances);
  const isOwn = place.host === "localhost" || place.host === DASHBOARD + DOMAIN;
  return isOwn ? { kind: "dashboard" } : byName(place, instances);
}

// Host, port and path of a URL of this machine; null for any other.
function local(url) {
  if (!URL.canParse(url)) return null;
  const { protocol, hostname, port, pathname } = new URL(url);
  const usual = { "http:": 80, "https:": 443 }[protocol];
  const host = hostname.replace(/\.$/, "");
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(host) || host.endsWith(DOMAIN);
  return usual && isLocal ? { host, port: Number(port || usual), path: pathname } : null;
}

// A fixed port is the gateway's, whoever it is kept for; one that is kept for an instance at rest may
// be another's that runs.
function byPort({ port, path }, instances) {
  const all = [...instances].sort((a, b) => isRunning(b) - isRunning(a));
  const leads = ({ forwards = [] }) => forwards.includes(port);
  const has = ({ ports }) => ports.some((one) => one.port === port);
  for (const isIt of [leads, has]) {
    for (const instance of all) {
      const service = instance.services.find(isIt);
      if (service && isIt === leads) return routed({ instance, service, by: "port" }, path);
      if (service) return { kind: "service", instance, service, by: "port" };
    }
  }
  return { kind: "stranger" };
}

// As the gateway leads names and routes (names.rs and route.rs there).
function byName({ host, path }, instances) {
  const name = host.endsWith(DOMAIN) ? host.slice(0, -DOMAIN.length) : "";
  let instance = instances.find((one) => one.name === name);
  let service = instance?.services.find((one) => one.name === instance.main);
  if (!instance) {
    const [label, ...rest] = name.split(".");
    instance = instances.find((one) => one.name === rest.join("."));
    service = instance?.services.find((one) => one.url?.startsWith("http://") && hostLabel(one.name) === label);
  }
  if (!service) return { kind: "stranger" };
  return routed({ instance, service, by: "name" }, path);
}

// Paths of the main service may lead to others.
function routed({ instance, service, by }, path) {
  const route = service.name === instance.main ? routeOf(path, instance.routes ?? []) : null;
  const other = route && instance.services.find((one) => one.name === route.service);
  return { kind: "service", instance, service: other ?? service, by: route?.path ?? by };
}

// The longest route that the path lies in by whole parts.
function routeOf(path, routes) {
  const fitting = routes.filter((route) => path === route.path || path.startsWith(`${route.path}/`));
  return fitting.sort((a, b) => b.path.length - a.path.length)[0] ?? null;
}

// A service's name as one label of a host name.
export function hostLabel(text) {
  const label = text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-/, "").slice(0, 40).replace(/-+$/, "");
  return label || "project";
}

export const isRunning = ({ state }) => state !== "stopped";

// What a page remembers of the checkout that it was loaded from; null where none runs there.
export function checkoutOf(found) {
  if (found?.kind !== "service" || !isRunning(found.instance)) return null;
  const { id, name, branch = null, directory } = found.instance;
  return { id, name, branch, directory };
}

// What has changed between two of these: "checkout", "branch" or null. Where one of them is not
// known, nothing is said.
export function change(seen, now) {
  if (!seen || !now) return null;
  if (seen.id !== now.id) return "checkout";
  return seen.branch === now.branch ? null : "branch";
}
