// Tests the pure functions of the browser extension.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";

import { generalBadge, serviceBadge } from "../../integrations/browser-extension/badge.js";
import { checkoutOf, detectChange, hostLabel, resolve } from "../../integrations/browser-extension/resolve.js";
import { readExtension } from "./support/extension.js";

const service = (name, port, scheme = "http") => ({
  name,
  state: "ready",
  url: `${scheme}://localhost:${port}`,
  ports: [{ port, url: `${scheme}://localhost:${port}` }],
});

const instance = (name, branch, services, more = {}) => ({
  id: `id of ${name}`,
  name,
  project: name.split(".").at(-1),
  directory: `/home/ada/${name}`,
  branch,
  state: "ready",
  main: services[0].name,
  services,
  ...more,
});

const jobi = instance("jobi", "main", [service("frontend", 5173), service("my_api", 9000), service("redis", 6379, "redis"), service("docs", 3000)], {
  routes: [
    { path: "/api", service: "my_api" },
    { path: "/api/admin", service: "frontend" },
  ],
});
const login = instance("fix-login.jobi", "fix/login", [service("frontend", 5174), service("my_api", 9001)]);
login.services[0].forwards = [3000];
const view = { gateway: { port: 7678, tls_port: 7679, version: "1" }, instances: [login, jobi] };

function describeTarget(url, from = view) {
  const resolved = resolve(url, from);
  if (resolved?.kind !== "service") return resolved?.kind ?? null;
  return `${resolved.service.name} of ${resolved.instance.name} by ${resolved.match}`;
}

describe("resolving a URL to a service", () => {
  for (const [url, expected] of [
    // By port, for any local host.
    ["http://localhost:5173/", "frontend of jobi by port"],
    ["http://127.0.0.1:5174/x?y#z", "frontend of fix-login.jobi by port"],
    ["http://[::1]:9000/", "my_api of jobi by port"],
    ["http://anything.localhost:9001/", "my_api of fix-login.jobi by port"],
    ["http://LOCALHOST.:5173/", "frontend of jobi by port"],
    ["http://localhost:1/", "unknown"],
    // By a fixed port, although another service has the lease.
    ["http://localhost:3000/", "frontend of fix-login.jobi by port"],
    ["http://localhost/", "unknown"],
    // By name.
    ["http://jobi.localhost:7678/", "frontend of jobi by name"],
    ["https://jobi.localhost:7679/", "frontend of jobi by name"],
    ["http://frontend.jobi.localhost:7678/", "frontend of jobi by name"],
    ["http://my-api.jobi.localhost:7678/api", "my_api of jobi by name"],
    ["http://fix-login.jobi.localhost:7678/", "frontend of fix-login.jobi by name"],
    ["http://my-api.fix-login.jobi.localhost:7678/", "my_api of fix-login.jobi by name"],
    ["http://redis.jobi.localhost:7678/", "unknown"],
    ["http://other.localhost:7678/", "unknown"],
    ["http://127.0.0.1:7678/", "unknown"],
    // By route.
    ["http://jobi.localhost:7678/api", "my_api of jobi by /api"],
    ["http://jobi.localhost:7678/api/items", "my_api of jobi by /api"],
    ["http://frontend.jobi.localhost:7678/api/admin/x", "frontend of jobi by /api/admin"],
    ["http://jobi.localhost:7678/apiary", "frontend of jobi by name"],
    // The dashboard.
    ["http://portway.localhost:7678/#ports", "dashboard"],
    ["http://localhost:7678/", "dashboard"],
    // Not on this machine, or not a web page.
    ["https://example.com:5173/", null],
    ["http://localhost.example:5173/", null],
    ["http://127.0.0.2:5173/", null],
    ["file:///home/ada/localhost:5173", null],
    ["chrome://newtab/", null],
    ["no url", null],
  ]) {
    it(url, () => assert.equal(describeTarget(url), expected));
  }

  it("prefers an instance to a service with the same host name", () => {
    const branch = instance("my-api.jobi", "my-api", [service("web", 5175)]);
    const both = { ...view, instances: [jobi, branch] };
    assert.equal(describeTarget("http://my-api.jobi.localhost:7678/", both), "web of my-api.jobi by name");
  });

  it("prefers a running instance to a stopped one with the same port", () => {
    const stopped = { ...jobi, name: "old", state: "stopped" };
    assert.equal(describeTarget("http://localhost:5173/", { ...view, instances: [stopped, jobi] }), "frontend of jobi by port");
    assert.equal(describeTarget("http://localhost:5173/", { ...view, instances: [stopped] }), "frontend of old by port");
  });

  it("accepts URLs without a port on the protocol’s default port", () => {
    const defaults = { ...view, gateway: { port: 80, tls_port: 443, version: "1" } };
    assert.equal(describeTarget("http://jobi.localhost/", defaults), "frontend of jobi by name");
    assert.equal(describeTarget("https://jobi.localhost/api", defaults), "my_api of jobi by /api");
    assert.equal(describeTarget("http://localhost/", defaults), "dashboard");
  });

  it("resolves no HTTPS URL if the gateway does not serve HTTPS", () => {
    const { tls_port, ...plain } = view.gateway;
    assert.equal(describeTarget(`https://jobi.localhost:${tls_port}/`, { ...view, gateway: plain }), "unknown");
  });

  it("converts service names to host name labels", () => {
    for (const [text, label] of [
      ["My API", "my-api"],
      ["_web_", "web"],
      ["Grüße", "gr-e"],
      ["…", "project"],
      [`${"a".repeat(39)}-b`, "a".repeat(39)],
    ]) {
      assert.equal(hostLabel(text), label);
    }
  });
});

describe("detecting a changed checkout", () => {
  const of = (one) => checkoutOf({ kind: "service", instance: one, service: one.services[0], match: "port" });

  it("ignores restarts and state changes of the same checkout", () => {
    assert.equal(detectChange(of(jobi), of({ ...jobi, since: 1, pid: 2, state: "degraded" })), null);
  });

  it("detects another branch, and a checkout without a branch", () => {
    assert.equal(detectChange(of(jobi), of({ ...jobi, branch: "feature/auth" })), "branch");
    assert.equal(detectChange(of(jobi), of({ ...jobi, branch: undefined })), "branch");
    const none = { ...jobi, branch: undefined };
    assert.equal(detectChange(of(none), of(none)), null);
  });

  it("detects another checkout on the same branch", () => {
    assert.equal(detectChange(of(jobi), of({ ...login, branch: "main" })), "checkout");
  });

  it("reports no change if one checkout is unknown", () => {
    assert.equal(detectChange(null, of(jobi)), null);
    assert.equal(detectChange(of(jobi), null), null);
  });

  it("remembers only checkouts of running services", () => {
    assert.equal(of({ ...jobi, state: "stopped" }), null);
    for (const none of [null, { kind: "unknown" }, { kind: "dashboard" }]) assert.equal(checkoutOf(none), null);
  });
});

describe("the badge", () => {
  const target = (more = {}) => ({ instance: { ...login, ...more }, service: login.services[0] });

  it("shows the branch, and details in the title", () => {
    const { text, title } = serviceBadge(target(), null);
    assert.deepEqual([text, title], ["logi", "frontend of fix-login.jobi (fix/login): ready"]);
    assert.equal(serviceBadge(target({ branch: undefined }), null).text, "jobi");
  });

  it("warns about a changed checkout", () => {
    assert.equal(serviceBadge(target(), "branch").text, "!");
    assert.match(serviceBadge(target(), "checkout").title, /^Checkout changed/);
  });

  it("shows the number of running instances, if there are any", () => {
    assert.deepEqual([generalBadge(view).text, generalBadge(view).title], ["2", "Portway: 2 instances running"]);
    const stopped = { ...view, instances: [{ ...jobi, state: "stopped" }] };
    assert.deepEqual([generalBadge(stopped).text, generalBadge(stopped).title], ["", "Portway: 0 instances running"]);
    assert.match(generalBadge({ ...view, instances: [{ ...jobi, state: "degraded" }] }).title, /1 instance running, services failing/);
    assert.equal(generalBadge(null).text, "");
  });
});

describe("the extension’s files", () => {
  it("are copies of the dashboard’s files", async () => {
    const dashboard = new URL("../../crates/portway-gateway/src/dashboard/", import.meta.url);
    for (const [file, original] of [
      ["shared/colors.css", "colors.css"],
      ["shared/dom.js", "dom.js"],
      ["shared/states.js", "states.js"],
      ["icons/icon.svg", "icon.svg"],
    ]) {
      assert.equal(await readExtension(file), await readFile(new URL(original, dashboard), "utf8"), file);
    }
  });

  it("request access to local pages only", async () => {
    const manifest = JSON.parse(await readExtension("manifest.json"));
    const hosts = ["localhost", "*.localhost", "127.0.0.1", "[::1]"].flatMap((host) => [`http://${host}/*`, `https://${host}/*`]);
    assert.deepEqual(manifest.host_permissions, hosts);
    assert.deepEqual(manifest.content_scripts.map(({ matches }) => matches), [hosts]);
    assert.deepEqual(manifest.permissions, ["storage"]);
    const permissionKeys = Object.keys(manifest).filter((key) => /permission|connect|access|policy|sandbox|override|devtools/.test(key));
    assert.deepEqual(permissionKeys, ["permissions", "host_permissions"]);
  });
});
