// The extension's decisions, which are functions from values to values.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";

import { general, ofService } from "../../integrations/browser-extension/badge.js";
import { change, checkoutOf, find, hostLabel } from "../../integrations/browser-extension/places.js";
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

function found(url, from = view) {
  const place = find(url, from);
  return place?.kind === "service" ? `${place.service.name} of ${place.instance.name} by ${place.by}` : (place?.kind ?? null);
}

describe("which service answers at a URL", () => {
  for (const [url, expected] of [
    // By port, whatever the host is called.
    ["http://localhost:5173/", "frontend of jobi by port"],
    ["http://127.0.0.1:5174/x?y#z", "frontend of fix-login.jobi by port"],
    ["http://[::1]:9000/", "my_api of jobi by port"],
    ["http://anything.localhost:9001/", "my_api of fix-login.jobi by port"],
    ["http://LOCALHOST.:5173/", "frontend of jobi by port"],
    ["http://localhost:1/", "stranger"],
    // By a fixed port, although that is kept for another as well.
    ["http://localhost:3000/", "frontend of fix-login.jobi by port"],
    ["http://localhost/", "stranger"],
    // By name.
    ["http://jobi.localhost:7678/", "frontend of jobi by name"],
    ["https://jobi.localhost:7679/", "frontend of jobi by name"],
    ["http://frontend.jobi.localhost:7678/", "frontend of jobi by name"],
    ["http://my-api.jobi.localhost:7678/api", "my_api of jobi by name"],
    ["http://fix-login.jobi.localhost:7678/", "frontend of fix-login.jobi by name"],
    ["http://my-api.fix-login.jobi.localhost:7678/", "my_api of fix-login.jobi by name"],
    ["http://redis.jobi.localhost:7678/", "stranger"],
    ["http://other.localhost:7678/", "stranger"],
    ["http://127.0.0.1:7678/", "stranger"],
    // By route.
    ["http://jobi.localhost:7678/api", "my_api of jobi by /api"],
    ["http://jobi.localhost:7678/api/items", "my_api of jobi by /api"],
    ["http://frontend.jobi.localhost:7678/api/admin/x", "frontend of jobi by /api/admin"],
    ["http://jobi.localhost:7678/apiary", "frontend of jobi by name"],
    // The gateway's own.
    ["http://portway.localhost:7678/#ports", "dashboard"],
    ["http://localhost:7678/", "dashboard"],
    // Not on this machine, or no page.
    ["https://example.com:5173/", null],
    ["http://localhost.example:5173/", null],
    ["http://127.0.0.2:5173/", null],
    ["file:///home/ada/localhost:5173", null],
    ["chrome://newtab/", null],
    ["no url", null],
  ]) {
    it(url, () => assert.equal(found(url), expected));
  }

  it("an instance has its name although a service is called like it", () => {
    const branch = instance("my-api.jobi", "my-api", [service("web", 5175)]);
    const both = { ...view, instances: [jobi, branch] };
    assert.equal(found("http://my-api.jobi.localhost:7678/", both), "web of my-api.jobi by name");
  });

  it("of two that know a port, the one that runs has it", () => {
    const resting = { ...jobi, name: "rests", state: "stopped" };
    assert.equal(found("http://localhost:5173/", { ...view, instances: [resting, jobi] }), "frontend of jobi by port");
    assert.equal(found("http://localhost:5173/", { ...view, instances: [resting] }), "frontend of rests by port");
  });

  it("on the protocol’s own port the number is left out", () => {
    const usual = { ...view, gateway: { port: 80, tls_port: 443, version: "1" } };
    assert.equal(found("http://jobi.localhost/", usual), "frontend of jobi by name");
    assert.equal(found("https://jobi.localhost/api", usual), "my_api of jobi by /api");
    assert.equal(found("http://localhost/", usual), "dashboard");
  });

  it("without TLS nothing is there by HTTPS", () => {
    const { tls_port, ...plain } = view.gateway;
    assert.equal(found(`https://jobi.localhost:${tls_port}/`, { ...view, gateway: plain }), "stranger");
  });

  it("labels of host names", () => {
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

describe("whether it is still the checkout of the page", () => {
  const of = (one) => checkoutOf({ kind: "service", instance: one, service: one.services[0], by: "port" });

  it("the same checkout and branch are no change, restarts neither", () => {
    assert.equal(change(of(jobi), of({ ...jobi, since: 1, pid: 2, state: "degraded" })), null);
  });

  it("another branch is one, a checkout without one included", () => {
    assert.equal(change(of(jobi), of({ ...jobi, branch: "feature/auth" })), "branch");
    assert.equal(change(of(jobi), of({ ...jobi, branch: undefined })), "branch");
    const none = { ...jobi, branch: undefined };
    assert.equal(change(of(none), of(none)), null);
  });

  it("another checkout is one, on the same branch as well", () => {
    assert.equal(change(of(jobi), of({ ...login, branch: "main" })), "checkout");
  });

  it("of what is not known nothing is said", () => {
    assert.equal(change(null, of(jobi)), null);
    assert.equal(change(of(jobi), null), null);
  });

  it("what does not run and what is a stranger’s is not remembered", () => {
    assert.equal(of({ ...jobi, state: "stopped" }), null);
    for (const none of [null, { kind: "stranger" }, { kind: "dashboard" }]) assert.equal(checkoutOf(none), null);
  });
});

describe("the badge", () => {
  const here = (more = {}) => ({ instance: { ...login, ...more }, service: login.services[0] });

  it("tells the branch of a service’s tab, and more in its title", () => {
    const { text, title } = ofService(here(), null);
    assert.deepEqual([text, title], ["logi", "frontend of fix-login.jobi (fix/login): ready"]);
    assert.equal(ofService(here({ branch: undefined }), null).text, "jobi");
  });

  it("warns", () => {
    assert.equal(ofService(here(), "branch").text, "!");
    assert.match(ofService(here(), "checkout").title, /^Another checkout/);
  });

  it("counts what runs, and is silent where nothing does", () => {
    assert.deepEqual([general(view).text, general(view).title], ["2", "Portway: 2 instances run"]);
    const rests = { ...view, instances: [{ ...jobi, state: "stopped" }] };
    assert.deepEqual([general(rests).text, general(rests).title], ["", "Portway: 0 instances run"]);
    assert.match(general({ ...view, instances: [{ ...jobi, state: "degraded" }] }).title, /1 instance runs, not all is well/);
    assert.equal(general(null).text, "");
  });
});

describe("the extension’s files", () => {
  it("look like the dashboard by its own files", async () => {
    const dashboard = new URL("../../crates/portway-gateway/src/dashboard/", import.meta.url);
    for (const [file, original] of [
      ["shared/colours.css", "colours.css"],
      ["shared/dom.js", "dom.js"],
      ["shared/states.js", "states.js"],
      ["icons/icon.svg", "icon.svg"],
    ]) {
      assert.equal(await readExtension(file), await readFile(new URL(original, dashboard), "utf8"), file);
    }
  });

  it("ask for localhost and nothing more", async () => {
    const manifest = JSON.parse(await readExtension("manifest.json"));
    const hosts = ["localhost", "*.localhost", "127.0.0.1", "[::1]"].flatMap((host) => [`http://${host}/*`, `https://${host}/*`]);
    assert.deepEqual(manifest.host_permissions, hosts);
    assert.deepEqual(manifest.content_scripts.map(({ matches }) => matches), [hosts]);
    assert.deepEqual(manifest.permissions, ["storage"]);
    const rights = Object.keys(manifest).filter((key) => /permission|connect|access|policy|sandbox|override|devtools/.test(key));
    assert.deepEqual(rights, ["permissions", "host_permissions"]);
  });
});
