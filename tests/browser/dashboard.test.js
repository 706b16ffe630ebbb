// Tests the dashboard in Chromium, with running services.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { fetchInPage, openBrowser } from "./support/browser.js";
import { findLowContrast } from "./support/contrast.js";
import { onInterrupt } from "./support/interrupt.js";
import { freePort, request, servePage } from "./support/network.js";
import { Project } from "./support/project.js";

const SHOP = fileURLToPath(new URL("./fixtures/shop", import.meta.url));
const MINUTE = 60_000;

describe("the dashboard", () => {
  let project;
  let opening; // promise of the browser
  let browser;
  let home;
  let urlOf; // URL of a name that the gateway serves

  // Runs a test in a new page. Page errors and requests to other origins make it fail, except those
  // that contain one of `errors`.
  function check(name, step, { errors = [] } = {}) {
    it(name, { timeout: 2 * MINUTE }, async () => {
      const page = await browser.newPage();
      const problems = [];
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
      page.on("request", (sent) => {
        if (new URL(sent.url()).origin !== new URL(home).origin) problems.push(`request to ${sent.url()}`);
      });
      try {
        await page.goto(home);
        await step(page);
        assert.deepEqual(problems.filter((text) => !errors.some((expected) => text.includes(expected))), []);
      } catch (error) {
        console.error(`portway logs:\n${await project.logs()}`);
        throw error;
      } finally {
        await page.close();
      }
    });
  }

  before(
    async () => {
      project = await Project.create(SHOP);
      urlOf = await project.startGateway();
      home = urlOf("portway");
      opening = openBrowser(project);
      browser = await opening;
      await browser.grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(home).origin });
    },
    { timeout: 2 * MINUTE },
  );

  async function cleanUp() {
    try {
      await opening?.then((opened) => opened.close(), () => {});
    } finally {
      await project?.dispose();
    }
  }

  onInterrupt(cleanUp);
  after(cleanUp, { timeout: 2 * MINUTE });

  const row = (page, service) => page.locator("tr.service").filter({ has: page.getByRole("cell", { name: service, exact: true }) });
  const waitForState = (page, service, state) => row(page, service).and(page.locator(`[data-state="${state}"]`)).waitFor();
  // Connects by address, because the system may not resolve names below `localhost` for Node.
  const instances = async () => {
    const { host, port } = new URL(home);
    const response = await request(`http://127.0.0.1:${port}/v1/instances`, { headers: { Host: host } });
    return response.json();
  };
  const service = async (name) => (await instances())[0].services.find((one) => one.name === name);

  check("shows an instance with all its details when it starts", async (page) => {
    await page.getByText("No instances yet").waitFor();
    const ports = await project.up();
    const card = page.getByRole("region", { name: "Instance shop" });
    await card.waitFor();
    await waitForState(page, "web", "ready");
    await waitForState(page, "api", "ready");
    await card.getByText(project.dir, { exact: true }).waitFor();
    await card.getByText("main", { exact: true }).waitFor();
    const web = row(page, "web");
    assert.equal(await web.getByRole("link").first().getAttribute("href"), urlOf("shop").slice(0, -1));
    assert.equal(await web.getByRole("link", { name: String(ports.web_port), exact: true }).getAttribute("href"), ports.web_url);
    await web.locator(".of-since").filter({ hasText: /\d+ (s|min)/ }).waitFor();
    await web.locator(".of-cpu").filter({ hasText: "%" }).waitFor();
    await web.locator(".of-memory").filter({ hasText: "MiB" }).waitFor();
    await page.getByText("1 of 1 instance running").waitFor();
  });

  check("stops, starts and restarts services by button", async (page) => {
    const button = (name) => page.getByRole("button", { name, exact: true });
    await waitForState(page, "api", "ready");
    await button("Stop api of shop").click();
    await waitForState(page, "api", "stopped");
    await waitForState(page, "web", "ready");
    await button("Start api of shop").click();
    await waitForState(page, "api", "ready");
    const { pid } = await service("api");
    await button("Restart api of shop").click();
    await page.waitForFunction(async (old) => {
      const [shop] = await (await fetch("/v1/instances")).json();
      const api = shop.services.find(({ name }) => name === "api");
      return api.state === "ready" && api.pid !== old;
    }, pid);
    await button("Stop all services of shop").click();
    await page.getByText("0 of 1 instance running").waitFor();
    await button("Start all services of shop").click();
    await waitForState(page, "web", "ready");
    await waitForState(page, "api", "ready");
  });

  check("controls services by keyboard", async (page) => {
    await waitForState(page, "api", "ready");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("j");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "api, ready");
    await page.keyboard.press("s");
    await waitForState(page, "api", "stopped");
    // The row keeps the focus, so the same key starts the service again.
    await page.keyboard.press("s");
    await waitForState(page, "api", "ready");
    const { pid } = await service("api");
    await page.keyboard.press("r");
    await page.waitForFunction(async (old) => {
      const [shop] = await (await fetch("/v1/instances")).json();
      const api = shop.services.find(({ name }) => name === "api");
      return api.state === "ready" && api.pid !== old;
    }, pid);
    // Shortcuts do not apply while the user types.
    await page.keyboard.press("/");
    await page.keyboard.type("rs");
    assert.equal(await page.getByRole("searchbox").first().inputValue(), "rs");
    await page.getByText("No instance or service matches this filter").waitFor();
    await page.keyboard.press("Escape");
    await waitForState(page, "api", "ready");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("l");
    await page.getByRole("dialog", { name: "Logs of shop" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    // The focus is visible.
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none");
  });

  check("keeps the focus when a button replaces another", async (page) => {
    await waitForState(page, "api", "ready");
    const waitForFocus = (name) => page.waitForFunction((name) => document.activeElement.getAttribute("aria-label") === name, name);
    await page.getByRole("button", { name: "Stop all services of shop" }).press("Enter");
    await waitForFocus("Start all services of shop");
    await page.getByText("0 of 1 instance running").waitFor();
    await page.getByRole("button", { name: "Start all services of shop" }).press("Enter");
    await waitForState(page, "web", "ready");
    await waitForState(page, "api", "ready");
    await waitForFocus("Stop all services of shop");
  });

  check("highlights a displaced port unless a checkout of the same project uses it", async (page) => {
    const [shop] = await instances();
    const colorOf = (locator) => locator.evaluate((node) => getComputedStyle(node).color);
    const shown = async (displaced) => {
      const [first, ...rest] = shop.services;
      const moved = { ...first, ports: [{ ...first.ports[0], displaced }] };
      const other = { ...shop, id: "other", name: "fix.shop", directory: "/elsewhere/fix", services: [] };
      const event = { type: "instances", instances: [{ ...shop, services: [moved, ...rest] }, other] };
      const body = `data: ${JSON.stringify(event)}\n\n`;
      await page.unroute("**/v1/events");
      await page.route("**/v1/events", (route) => route.fulfill({ contentType: "text/event-stream", body }));
      await page.reload();
      const line = page.locator(".displaced");
      await line.waitFor();
      return {
        text: await line.locator("span").textContent(),
        buttons: await line.getByRole("button").count(),
        isHighlighted: (await colorOf(line)) !== (await colorOf(page.locator(".details").first())),
      };
    };
    const wanted = 24106;
    assert.deepEqual(await shown({ wanted, forced: false, holder: "the main checkout", reason: { type: "main_checkout" } }), {
      text: "Preferred port 24106 is reserved for the main checkout",
      buttons: 0,
      isHighlighted: false,
    });
    const sibling = "`api` of fix.shop (/elsewhere/fix)";
    const instance = { type: "other_instance", id: "other", instance: "fix.shop", directory: "/elsewhere/fix", service: "api", running: true };
    assert.deepEqual(await shown({ wanted, forced: false, holder: sibling, reason: instance }), {
      text: `Preferred port 24106 is in use by ${sibling}`,
      buttons: 1,
      isHighlighted: false,
    });
    assert.deepEqual(await shown({ wanted, forced: true, holder: sibling, reason: instance }), {
      text: `Forced port 24106 is in use by ${sibling}`,
      buttons: 1,
      isHighlighted: true,
    });
    assert.deepEqual(await shown({ wanted, forced: false, holder: "node (7)", reason: { type: "process", pid: 7, name: "node" } }), {
      text: "Preferred port 24106 is in use by node (7)",
      buttons: 1,
      isHighlighted: true,
    });
    assert.deepEqual(await shown({ wanted, forced: false, excluded: true, holder: "browsers block it", reason: { type: "excluded" } }), {
      text: "Port 24106 is excluded: browsers block it",
      buttons: 0,
      isHighlighted: true,
    });
  });

  check("follows, searches and copies logs, and shows markup in logs as text", async (page) => {
    const { ports } = await service("api");
    const print = (text) => request(new URL(`print/${encodeURIComponent(text)}`, `http://127.0.0.1:${ports[0].port}`));
    await page.getByRole("button", { name: "Logs for api of shop" }).click();
    const dialog = page.getByRole("dialog", { name: "Logs of shop" });
    const line = (text) => dialog.locator("#logs-lines p").filter({ hasText: text });
    await line(`listening on ${ports[0].port}`).last().waitFor();
    await print("a parrot");
    await line("a parrot").waitFor();
    const markup = "<img src=x onerror=alert(1)> (in brackets) \u001b[31mred\u001b[0m";
    await print(markup);
    await line("<img src=x onerror=alert(1)> (in brackets) red").waitFor();

    await dialog.getByRole("searchbox").fill("IN BRACKETS)");
    await line("a parrot").waitFor({ state: "detached" });
    assert.equal(await dialog.locator("mark").first().textContent(), "in brackets)");
    await print("another (in brackets)");
    await print("a second parrot");
    await line("another").waitFor();
    assert.equal(await line("parrot").count(), 0);
    await dialog.getByRole("button", { name: "Copy" }).click();
    await dialog.getByText("2 lines copied").waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(copied, /^\d\d:\d\d:\d\d\.\d{3} <img src=x.* red\n.*another \(in brackets\)$/);
    // A search in progress looks different from one without results.
    let respond;
    await page.route("**/logs?*", async (route) => {
      await new Promise((resolve) => (respond = resolve));
      await route.continue();
    });
    await dialog.getByRole("searchbox").fill("no such words");
    await dialog.getByText("Searching…").waitFor();
    assert.equal(await dialog.locator("#logs-lines p").count(), 0);
    respond();
    await dialog.getByText("No matching lines").waitFor();
    await page.unroute("**/logs?*");
    await print("but now no such words");
    await line("but now").waitFor();
    await dialog.getByText("1 line", { exact: true }).waitFor();
    await dialog.getByRole("searchbox").fill("");
    await line("a second parrot").waitFor();

    // With all services selected, each line starts with its service.
    await dialog.getByRole("combobox").selectOption("");
    await line(/web listening on/).last().waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await dialog.waitFor({ state: "hidden" });
  });

  check("continues logs after a restart, and pauses following when the user scrolls up", async (page) => {
    const { ports } = await service("web");
    const print = (text) => request(new URL(`print/${text}`, `http://127.0.0.1:${ports[0].port}`));
    await page.getByRole("button", { name: "Logs for web of shop" }).click();
    const dialog = page.getByRole("dialog");
    const line = (text) => dialog.locator("#logs-lines p").filter({ hasText: text });
    for (let number = 0; number < 80; number += 1) await print(`number-${number}`);
    await line("number-79").waitFor();
    const follow = dialog.getByRole("checkbox", { name: "Follow" });
    assert.equal(await follow.isChecked(), true);
    await dialog.getByRole("log").press("Home");
    await page.waitForFunction(() => document.getElementById("logs-lines").scrollTop === 0);
    assert.equal(await follow.isChecked(), false);
    const starts = await line("listening on").count();
    await project.restart("web");
    await line("listening on").nth(starts).waitFor();
    assert.equal(await page.evaluate(() => document.getElementById("logs-lines").scrollTop), 0);
    await follow.check();
    const atEnd = () => {
      const { scrollTop, scrollHeight, clientHeight } = document.getElementById("logs-lines");
      return scrollTop > 0 && scrollTop + clientHeight >= scrollHeight - 1;
    };
    await page.waitForFunction(atEnd);
    await page.setViewportSize({ width: 380, height: 400 });
    await page.waitForFunction(atEnd);
    assert.equal(await follow.isChecked(), true);
  });

  check("reports when a search matches more lines than it shows", async (page) => {
    const { ports } = await service("web");
    const print = (text) => request(new URL(`print/${text}`, `http://127.0.0.1:${ports[0].port}`));
    // Print in batches: Node limits the size of a request's headers to 16 KiB.
    for (let first = 0; first < 1100; first += 100) {
      const lines = Array.from({ length: 100 }, (_, index) => `many ${first + index}`);
      await print(encodeURIComponent(lines.join("\n")));
    }
    await page.getByRole("button", { name: "Logs for web of shop" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("#logs-lines p").filter({ hasText: "many 1099" }).waitFor();
    await dialog.getByRole("searchbox").fill("many");
    await dialog.getByText("Last 1000 lines, more lines match").waitFor();
    assert.equal(await dialog.locator("#logs-lines p").count(), 1000);
    await dialog.getByRole("searchbox").fill("many 1099");
    await dialog.getByText("1 line", { exact: true }).waitFor();
  });

  check("shows an error for an invalid port and hides the previous details", async (page) => {
    const own = Number(new URL(home).port);
    await page.getByRole("link", { name: "Ports" }).click();
    const field = page.getByRole("textbox", { name: "Which process is using port" });
    const details = page.getByRole("region", { name: "Port details" });
    for (const invalid of ["70000", "0", "x", ""]) {
      await field.fill(String(own));
      await field.press("Enter");
      await details.getByRole("heading", { name: `Port ${own}: Portway gateway (HTTP)` }).waitFor();
      assert.equal(await details.getByRole("button", { name: "Free port…" }).count(), 0);
      await field.fill(invalid);
      await field.press("Enter");
      await page.getByText("Enter a port number from 1 to 65535.").waitFor();
      await details.waitFor({ state: "hidden" });
      assert.equal(await field.getAttribute("aria-invalid"), "true");
    }
    assert.equal(await page.locator("#errors .message").count(), 0);
    const { host, port } = new URL(home);
    for (const invalid of ["70000", "0"]) {
      const response = await request(`http://127.0.0.1:${port}/v1/ports/${invalid}`, { headers: { Host: host } });
      assert.equal(response.status, 400);
      assert.equal(response.json().error.code, "usage");
    }
  });

  check("adds, changes and removes a fixed port", async (page) => {
    const fixed = await freePort();
    await page.getByRole("link", { name: "Ports" }).click();
    const part = page.getByRole("region", { name: "Fixed ports" });
    const field = part.getByRole("textbox", { name: "Port" });
    const choice = part.getByRole("combobox", { name: "routes to" });
    const line = part.getByRole("listitem");
    await field.fill("70000");
    await field.press("Enter");
    await part.getByText("Enter a port number from 1 to 65535.").waitFor();
    await field.fill(String(fixed));
    await field.press("Enter");
    await part.getByText("Choose a service for this port.").waitFor();
    await choice.selectOption({ label: "web of shop" });
    await part.getByRole("button", { name: "Save route" }).press("Enter");
    await line.getByText("routes to web of shop").waitFor();
    await part.getByRole("button", { name: `Change fixed port ${fixed}` }).press("Enter");
    assert.equal(await field.inputValue(), String(fixed));
    await choice.selectOption({ label: "api of shop" });
    await part.getByRole("button", { name: "Save route" }).click();
    await line.getByText("routes to api of shop").waitFor();

    // The map and the details show it as a port of the gateway, not of the service.
    const text = `Port ${fixed}: fixed port, routes to api of shop`;
    const cell = page.getByRole("button", { name: text });
    await cell.and(page.locator(".gateway")).click();
    const details = page.getByRole("region", { name: "Port details" });
    await details.getByRole("heading", { name: text }).and(page.locator(":has(.gateway)")).waitFor();
    assert.equal(await details.getByRole("button", { name: "Free port…" }).count(), 0);
    await page.getByRole("link", { name: "Services" }).click();
    await row(page, "api").getByRole("link", { name: `fixed ${fixed}` }).waitFor();
    await page.getByRole("link", { name: "Ports" }).click();
    await details.getByRole("button", { name: "Remove fixed port" }).click();
    await line.waitFor({ state: "detached" });
    await details.getByRole("heading", { name: `Port ${fixed}: free` }).waitFor();

    await field.fill(String(fixed));
    await choice.selectOption({ label: "web of shop" });
    await field.press("Enter");
    await part.getByRole("button", { name: `Remove fixed port ${fixed}` }).press("Enter");
    await line.waitFor({ state: "detached" });
    await page.waitForFunction(() => document.activeElement.id === "fixed-port");
  });

  check("shows which process is using a port, and frees it", async (page) => {
    const other = spawn(process.execPath, ["-e", "require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })"], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [text] = await once(other.stdout, "data");
      const port = Number(text);
      const { ports } = await service("api");
      await page.getByRole("link", { name: "Ports" }).click();
      await page.getByRole("button", { name: `Port ${ports[0].port}: api of shop` }).waitFor();
      await page.getByRole("region", { name: /backend 9000–9099/ }).waitFor();
      await page.getByRole("button", { name: new RegExp(`Port ${port}: in use by node`) }).waitFor();

      await page.getByRole("textbox", { name: "Which process is using port" }).fill(String(port));
      await page.keyboard.press("Enter");
      const details = page.getByRole("region", { name: "Port details" });
      await details.getByText(`pid ${other.pid}`).first().waitFor();
      const exited = once(other, "exit");
      const dialog = page.getByRole("dialog", { name: `Free port ${port}?` });
      await details.getByRole("button", { name: "Free port…" }).click();
      await dialog.getByText(String(other.pid)).waitFor();
      await dialog.getByRole("button", { name: "Cancel" }).click();
      await dialog.waitFor({ state: "hidden" });
      assert.equal(other.exitCode, null);
      await details.getByRole("button", { name: "Free port…" }).click();
      await dialog.getByRole("button", { name: "Stop process" }).click();
      const [, signal] = await exited;
      assert.equal(signal, "SIGTERM");
      await details.getByRole("heading", { name: `Port ${port}: free` }).waitFor();
    } finally {
      other.kill("SIGKILL");
    }
  });

  check(
    "blocks other origins from acting on, reading or framing the dashboard",
    async (page) => {
      const before = await service("api");
      const token = await page.evaluate(() => document.querySelector('meta[name="portway-token"]').content);
      assert.ok(token.length > 40);
      const foreign = await servePage();
      try {
        // A page on another port, and one of a service behind the same gateway.
        for (const url of [`http://127.0.0.1:${foreign.port}`, urlOf("shop")]) {
          await page.goto(url);
          const stop = new URL("v1/instances/" + (await instances())[0].id + "/stop", home).href;
          const body = JSON.stringify({ services: ["api"] });
          for (const headers of [
            { "content-type": "application/json", "portway-token": token },
            { "content-type": "text/plain" },
            {},
          ]) {
            assert.deepEqual(await fetchInPage(page, stop, { method: "POST", headers, body }), { error: "TypeError" });
            await fetchInPage(page, stop, { method: "POST", mode: "no-cors", headers, body });
          }
          for (const url of [home, new URL("v1/instances", home).href]) {
            assert.deepEqual(await fetchInPage(page, url), { error: "TypeError" });
          }
          const framed = await page.evaluate(async (url) => {
            const frame = document.createElement("iframe");
            frame.src = url;
            const loaded = new Promise((resolve) => (frame.onload = resolve));
            document.body.append(frame);
            await loaded;
            // A blocked frame shows an error page of another origin.
            return frame.contentWindow.length === 0 && frame.contentDocument === null;
          }, home);
          assert.equal(framed, true);
          for (const frame of page.frames().slice(1)) assert.ok(!(await frame.content()).includes("portway-token"));
        }
      } finally {
        await foreign.close();
      }
      assert.deepEqual(await service("api"), before);
    },
    // What the browser reports about blocked requests, and the requests of the other pages.
    { errors: ["CORS policy", "Failed to load", "frame", "Framing", "request to http://127.0.0.1", "request to http://shop.", "403"] },
  );

  check("has sufficient contrast and no overflow in every theme and window size", async (page) => {
    const pictures = process.env.PORTWAY_TEST_PICTURES || path.join(project.temporary, "pictures");
    await mkdir(pictures, { recursive: true });
    await waitForState(page, "api", "ready");
    // Show a fixed port, and an error at both fields.
    const fixed = await freePort();
    await page.getByRole("link", { name: "Ports" }).click();
    const part = page.getByRole("region", { name: "Fixed ports" });
    await part.getByRole("textbox", { name: "Port" }).fill(String(fixed));
    await part.getByRole("combobox").selectOption({ label: "web of shop" });
    await part.getByRole("button", { name: "Save route" }).click();
    await part.getByText("routes to web of shop").waitFor();
    for (const name of ["Check", "Save route"]) await page.getByRole("button", { name }).click();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const [size, width] of [["wide", 1280], ["middle", 800], ["narrow", 320]]) {
        await page.setViewportSize({ width, height: 800 });
        for (const [view, ready] of [["services", ".instance"], ["ports", ".range"], ["logs", "#logs-lines p"]]) {
          if (view === "logs") {
            await page.getByRole("link", { name: "Services" }).click();
            await page.getByRole("button", { name: "Logs for api of shop" }).click();
          } else {
            await page.getByRole("link", { name: view, exact: false }).click();
          }
          await page.locator(ready).first().waitFor();
          const name = `${view}-${size}-${colorScheme}`;
          await page.screenshot({ path: path.join(pictures, `${name}.png`) });
          const [required, available] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
          assert.ok(required <= available, `${name} is ${required - available} px too wide`);
          assert.deepEqual(await page.evaluate(findLowContrast, 4.5), [], name);
          if (view === "logs") await page.keyboard.press("Escape");
        }
      }
    }
    await page.emulateMedia({ reducedMotion: "reduce" });
    const animations = await page.evaluate(() => document.getAnimations().length);
    assert.equal(animations, 0);
    await page.getByRole("link", { name: "Ports" }).click();
    await part.getByRole("button", { name: "Remove" }).click();
    await part.getByText("routes to web of shop").waitFor({ state: "detached" });
  });

  check(
    "reconnects to a restarted gateway and sends its new token",
    async (page) => {
      await waitForState(page, "api", "ready");
      const port = Number(new URL(home).port);
      await project.stopGateway();
      await page.getByText("The gateway is not responding").waitFor();
      await project.startGateway(port);
      await page.getByText("1 of 1 instance running").waitFor();
      await page.getByRole("button", { name: "Stop api of shop" }).click();
      await waitForState(page, "api", "stopped");
    },
    // What the browser reports about failed connections and the response to the old token.
    { errors: ["ERR_", "403"] },
  );
});
