// The gateway's dashboard in a real browser, over services that really run.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { fetchInPage, openBrowser } from "./support/browser.js";
import { onInterrupt } from "./support/interrupt.js";
import { contrasts } from "./support/looks.js";
import { freePort, request, servePage } from "./support/network.js";
import { Project } from "./support/project.js";

const SHOP = fileURLToPath(new URL("./fixtures/shop", import.meta.url));
const MINUTE = 60_000;

describe("the dashboard", () => {
  let project;
  let opening; // the browser, promised
  let browser;
  let home;
  let named;

  // A step with a page of its own, in which nothing may go wrong unseen and nothing comes from
  // elsewhere.
  function check(name, step, { errors = [] } = {}) {
    it(name, { timeout: 2 * MINUTE }, async () => {
      const page = await browser.newPage();
      const wrong = [];
      page.on("pageerror", (error) => wrong.push(error.message));
      page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
      page.on("request", (sent) => {
        if (new URL(sent.url()).origin !== new URL(home).origin) wrong.push(`asks ${sent.url()}`);
      });
      try {
        await page.goto(home);
        await step(page);
        assert.deepEqual(wrong.filter((text) => !errors.some((known) => text.includes(known))), []);
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
      named = await project.gateway();
      home = named("portway");
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
  const inState = (page, service, state) => row(page, service).and(page.locator(`[data-state="${state}"]`)).waitFor();
  // By address and with the name: Node asks the system for names, which may not know this one.
  const instances = async () => {
    const { host, port } = new URL(home);
    const asked = await request(`http://127.0.0.1:${port}/v1/instances`, { headers: { Host: host } });
    return asked.json();
  };
  const service = async (name) => (await instances())[0].services.find((one) => one.name === name);

  check("an instance appears when it is brought up, with all that is to be known", async (page) => {
    await page.getByText("No instance yet").waitFor();
    const ports = await project.up();
    const card = page.getByRole("region", { name: "Instance shop" });
    await card.waitFor();
    await inState(page, "web", "ready");
    await inState(page, "api", "ready");
    await card.getByText(project.dir, { exact: true }).waitFor();
    await card.getByText("main", { exact: true }).waitFor();
    const web = row(page, "web");
    assert.equal(await web.getByRole("link").first().getAttribute("href"), named("shop").slice(0, -1));
    assert.equal(await web.getByRole("link", { name: String(ports.web_port), exact: true }).getAttribute("href"), ports.web_url);
    await web.locator(".of-since").filter({ hasText: /\d+ (s|min)/ }).waitFor();
    await web.locator(".of-cpu").filter({ hasText: "%" }).waitFor();
    await web.locator(".of-memory").filter({ hasText: "MiB" }).waitFor();
    await page.getByText("1 of 1 instance running").waitFor();
  });

  check("services are stopped, started and restarted by their buttons", async (page) => {
    const button = (name) => page.getByRole("button", { name, exact: true });
    await inState(page, "api", "ready");
    await button("Stop api of shop").click();
    await inState(page, "api", "stopped");
    await inState(page, "web", "ready");
    await button("Start api of shop").click();
    await inState(page, "api", "ready");
    const { pid } = await service("api");
    await button("Restart api of shop").click();
    await page.waitForFunction(async (old) => {
      const [shop] = await (await fetch("/v1/instances")).json();
      const api = shop.services.find(({ name }) => name === "api");
      return api.state === "ready" && api.pid !== old;
    }, pid);
    await button("Stop all of shop").click();
    await page.getByText("0 of 1 instance running").waitFor();
    await button("Start all of shop").click();
    await inState(page, "web", "ready");
    await inState(page, "api", "ready");
  });

  check("and by the keyboard alone", async (page) => {
    await inState(page, "api", "ready");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("j");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "api, ready");
    await page.keyboard.press("s");
    await inState(page, "api", "stopped");
    // The focus stays where it was, so that the same key starts it again.
    await page.keyboard.press("s");
    await inState(page, "api", "ready");
    const { pid } = await service("api");
    await page.keyboard.press("r");
    await page.waitForFunction(async (old) => {
      const [shop] = await (await fetch("/v1/instances")).json();
      const api = shop.services.find(({ name }) => name === "api");
      return api.state === "ready" && api.pid !== old;
    }, pid);
    // A letter that is typed somewhere is a letter.
    await page.keyboard.press("/");
    await page.keyboard.type("rs");
    assert.equal(await page.getByRole("searchbox").first().inputValue(), "rs");
    await page.getByText("Nothing here is called like that").waitFor();
    await page.keyboard.press("Escape");
    await inState(page, "api", "ready");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("l");
    await page.getByRole("dialog", { name: "Logs of shop" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    // Where the focus is, is seen.
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none");
  });

  check("who starts or stops all by the keyboard keeps the focus there", async (page) => {
    await inState(page, "api", "ready");
    const focused = (name) => page.waitForFunction((name) => document.activeElement.getAttribute("aria-label") === name, name);
    await page.getByRole("button", { name: "Stop all of shop" }).press("Enter");
    await focused("Start all of shop");
    await page.getByText("0 of 1 instance running").waitFor();
    await page.getByRole("button", { name: "Start all of shop" }).press("Enter");
    await inState(page, "web", "ready");
    await inState(page, "api", "ready");
    await focused("Stop all of shop");
  });

  check("a port that another checkout of the project has is no trouble, a stranger's is", async (page) => {
    const [shop] = await instances();
    const colourOf = (found) => found.evaluate((node) => getComputedStyle(node).color);
    const told = async (displaced) => {
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
        words: await line.locator("span").textContent(),
        asks: await line.getByRole("button").count(),
        isAmber: (await colourOf(line)) !== (await colourOf(page.locator(".where").first())),
      };
    };
    const wanted = 24106;
    assert.deepEqual(await told({ wanted, forced: false, holder: "the main checkout", reason: { type: "main_checkout" } }), {
      words: "preferred 24106 is left to the main checkout",
      asks: 0,
      isAmber: false,
    });
    const sibling = "`api` of fix.shop (/elsewhere/fix)";
    const instance = { type: "other_instance", id: "other", instance: "fix.shop", directory: "/elsewhere/fix", service: "api", running: true };
    assert.deepEqual(await told({ wanted, forced: false, holder: sibling, reason: instance }), { words: `preferred 24106 is taken by ${sibling}`, asks: 1, isAmber: false });
    assert.deepEqual(await told({ wanted, forced: true, holder: sibling, reason: instance }), { words: `forced 24106 is taken by ${sibling}`, asks: 1, isAmber: true });
    assert.deepEqual(await told({ wanted, forced: false, holder: "node (7)", reason: { type: "process", pid: 7, name: "node" } }), { words: "preferred 24106 is taken by node (7)", asks: 1, isAmber: true });
    assert.deepEqual(await told({ wanted, forced: false, excluded: true, holder: "browsers refuse it", reason: { type: "excluded" } }), {
      words: "24106 is not given out: browsers refuse it",
      asks: 0,
      isAmber: true,
    });
  });

  check("logs are followed, searched and copied, and what a service prints is text", async (page) => {
    const { ports } = await service("api");
    const say = (text) => request(new URL(`say/${encodeURIComponent(text)}`, `http://127.0.0.1:${ports[0].port}`));
    await page.getByRole("button", { name: "Logs api of shop" }).click();
    const dialog = page.getByRole("dialog", { name: "Logs of shop" });
    const line = (text) => dialog.locator("#logs-lines p").filter({ hasText: text });
    await line(`listens on ${ports[0].port}`).last().waitFor();
    await say("a parrot");
    await line("a parrot").waitFor();
    const markup = "<img src=x onerror=alert(1)> (in brackets) \u001b[31mred\u001b[0m";
    await say(markup);
    await line("<img src=x onerror=alert(1)> (in brackets) red").waitFor();

    await dialog.getByRole("searchbox").fill("IN BRACKETS)");
    await line("a parrot").waitFor({ state: "detached" });
    assert.equal(await dialog.locator("mark").first().textContent(), "in brackets)");
    await say("another (in brackets)");
    await say("a second parrot");
    await line("another").waitFor();
    assert.equal(await line("parrot").count(), 0);
    await dialog.getByRole("button", { name: "Copy" }).click();
    await dialog.getByText("2 lines copied").waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(copied, /^\d\d:\d\d:\d\d\.\d{3} <img src=x.* red\n.*another \(in brackets\)$/);
    // Under way is told from done with nothing found.
    let answer;
    await page.route("**/logs?*", async (route) => {
      await new Promise((resolve) => (answer = resolve));
      await route.continue();
    });
    await dialog.getByRole("searchbox").fill("no such words");
    await dialog.getByText("searching…").waitFor();
    assert.equal(await dialog.locator("#logs-lines p").count(), 0);
    answer();
    await dialog.getByText("no line matches").waitFor();
    await page.unroute("**/logs?*");
    await say("but now no such words");
    await line("but now").waitFor();
    await dialog.getByText("1 line", { exact: true }).waitFor();
    await dialog.getByRole("searchbox").fill("");
    await line("a second parrot").waitFor();

    // All of the instance, each line with its service.
    await dialog.getByRole("combobox").selectOption("");
    await line(/web listens on/).last().waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await dialog.waitFor({ state: "hidden" });
  });

  check("logs go on through a restart, and scrolling up ends following", async (page) => {
    const { ports } = await service("web");
    const say = (text) => request(new URL(`say/${text}`, `http://127.0.0.1:${ports[0].port}`));
    await page.getByRole("button", { name: "Logs web of shop" }).click();
    const dialog = page.getByRole("dialog");
    const line = (text) => dialog.locator("#logs-lines p").filter({ hasText: text });
    for (let number = 0; number < 80; number += 1) await say(`number-${number}`);
    await line("number-79").waitFor();
    const follow = dialog.getByRole("checkbox", { name: "Follow" });
    assert.equal(await follow.isChecked(), true);
    await dialog.getByRole("log").press("Home");
    await page.waitForFunction(() => document.getElementById("logs-lines").scrollTop === 0);
    assert.equal(await follow.isChecked(), false);
    const starts = await line("listens on").count();
    await project.restart("web");
    await line("listens on").nth(starts).waitFor();
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

  check("a search that finds more lines than are shown says so", async (page) => {
    const { ports } = await service("web");
    const say = (text) => request(new URL(`say/${text}`, `http://127.0.0.1:${ports[0].port}`));
    // One request may ask for many, but not for all: Node takes 16 KiB of head at most.
    for (let first = 0; first < 1100; first += 100) {
      const lines = Array.from({ length: 100 }, (_, index) => `many ${first + index}`);
      await say(encodeURIComponent(lines.join("\n")));
    }
    await page.getByRole("button", { name: "Logs web of shop" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.locator("#logs-lines p").filter({ hasText: "many 1099" }).waitFor();
    await dialog.getByRole("searchbox").fill("many");
    await dialog.getByText("the last 1000 lines; more match").waitFor();
    assert.equal(await dialog.locator("#logs-lines p").count(), 1000);
    await dialog.getByRole("searchbox").fill("many 1099");
    await dialog.getByText("1 line", { exact: true }).waitFor();
  });

  check("what is no port is said at the field, and nothing of another stays", async (page) => {
    const own = Number(new URL(home).port);
    await page.getByRole("link", { name: "Ports" }).click();
    const field = page.getByRole("textbox", { name: "Who has port" });
    const detail = page.getByRole("region", { name: "The chosen port" });
    for (const wrong of ["70000", "0", "x", ""]) {
      await field.fill(String(own));
      await field.press("Enter");
      await detail.getByRole("heading", { name: `Port ${own}: the gateway, names by HTTP` }).waitFor();
      assert.equal(await detail.getByRole("button", { name: "Free…" }).count(), 0);
      await field.fill(wrong);
      await field.press("Enter");
      await page.getByText("A port is a number from 1 to 65535.").waitFor();
      await detail.waitFor({ state: "hidden" });
      assert.equal(await field.getAttribute("aria-invalid"), "true");
    }
    assert.equal(await page.locator("#messages .message").count(), 0);
    const { host, port } = new URL(home);
    for (const wrong of ["70000", "0"]) {
      const asked = await request(`http://127.0.0.1:${port}/v1/ports/${wrong}`, { headers: { Host: host } });
      assert.equal(asked.status, 400);
      assert.equal(asked.json().error.message, `\`${wrong}\` is no port: a port is a number from 1 to 65535`);
    }
  });

  check("a fixed port is made, led elsewhere and let go", async (page) => {
    const fixed = await freePort();
    await page.getByRole("link", { name: "Ports" }).click();
    const part = page.getByRole("region", { name: "Fixed ports" });
    const field = part.getByRole("textbox", { name: "Port" });
    const choice = part.getByRole("combobox", { name: "leads to" });
    const line = part.getByRole("listitem");
    await field.fill("70000");
    await field.press("Enter");
    await part.getByText("A port is a number from 1 to 65535.").waitFor();
    await field.fill(String(fixed));
    await field.press("Enter");
    await part.getByText("Choose the service").waitFor();
    await choice.selectOption({ label: "web of shop" });
    await part.getByRole("button", { name: "Lead here" }).press("Enter");
    await line.getByText("leads to web of shop").waitFor();
    await part.getByRole("button", { name: `Lead port ${fixed} elsewhere` }).press("Enter");
    assert.equal(await field.inputValue(), String(fixed));
    await choice.selectOption({ label: "api of shop" });
    await part.getByRole("button", { name: "Lead here" }).click();
    await line.getByText("leads to api of shop").waitFor();

    // It is the gateway's own in the map and in what is told of it, and told apart from the service's port.
    const words = `Port ${fixed}: fixed, leads to api of shop`;
    const cell = page.getByRole("button", { name: words });
    await cell.and(page.locator(".gateway")).click();
    const detail = page.getByRole("region", { name: "The chosen port" });
    await detail.getByRole("heading", { name: words }).and(page.locator(":has(.gateway)")).waitFor();
    assert.equal(await detail.getByRole("button", { name: "Free…" }).count(), 0);
    await page.getByRole("link", { name: "Services" }).click();
    await row(page, "api").getByRole("link", { name: `fixed ${fixed}` }).waitFor();
    await page.getByRole("link", { name: "Ports" }).click();
    await detail.getByRole("button", { name: "Let go" }).click();
    await line.waitFor({ state: "detached" });
    await detail.getByRole("heading", { name: `Port ${fixed}: free` }).waitFor();

    await field.fill(String(fixed));
    await choice.selectOption({ label: "web of shop" });
    await field.press("Enter");
    await part.getByRole("button", { name: `Let go of port ${fixed}` }).press("Enter");
    await line.waitFor({ state: "detached" });
    await page.waitForFunction(() => document.activeElement.id === "fixed-port");
  });

  check("the map shows who has a port, and a blocked one is freed", async (page) => {
    const stranger = spawn(process.execPath, ["-e", "require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })"], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [text] = await once(stranger.stdout, "data");
      const port = Number(text);
      const { ports } = await service("api");
      await page.getByRole("link", { name: "Ports" }).click();
      await page.getByRole("button", { name: `Port ${ports[0].port}: api of shop` }).waitFor();
      await page.getByRole("region", { name: /backend 9000–9099/ }).waitFor();
      await page.getByRole("button", { name: new RegExp(`Port ${port}: node`) }).waitFor();

      await page.getByRole("textbox", { name: "Who has port" }).fill(String(port));
      await page.keyboard.press("Enter");
      const detail = page.getByRole("region", { name: "The chosen port" });
      await detail.getByText(`pid ${stranger.pid}`).waitFor();
      const ended = once(stranger, "exit");
      const dialog = page.getByRole("dialog", { name: `Free port ${port}?` });
      await detail.getByRole("button", { name: "Free…" }).click();
      await dialog.getByText(String(stranger.pid)).waitFor();
      await dialog.getByRole("button", { name: "Leave it" }).click();
      await dialog.waitFor({ state: "hidden" });
      assert.equal(stranger.exitCode, null);
      await detail.getByRole("button", { name: "Free…" }).click();
      await dialog.getByRole("button", { name: "End it" }).click();
      const [, signal] = await ended;
      assert.equal(signal, "SIGTERM");
      await detail.getByRole("heading", { name: `Port ${port}: free` }).waitFor();
    } finally {
      stranger.kill("SIGKILL");
    }
  });

  check(
    "no other origin can act, read or frame it",
    async (page) => {
      const before = await service("api");
      const token = await page.evaluate(() => document.querySelector('meta[name="portway-token"]').content);
      assert.ok(token.length > 40);
      const stranger = await servePage();
      try {
        // A page of the web, as it were, and one of a service behind the same gateway.
        for (const foreign of [`http://127.0.0.1:${stranger.port}`, named("shop")]) {
          await page.goto(foreign);
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
            // What is refused becomes an error page of another origin; what is there could be found.
            return frame.contentWindow.length === 0 && frame.contentDocument === null;
          }, home);
          assert.equal(framed, true);
          for (const frame of page.frames().slice(1)) assert.ok(!(await frame.content()).includes("portway-token"));
        }
      } finally {
        await stranger.close();
      }
      assert.deepEqual(await service("api"), before);
    },
    // What the browser says about all that is refused, and what is not the dashboard's own.
    { errors: ["CORS policy", "Failed to load", "frame", "Framing", "asks http://127.0.0.1", "asks http://shop.", "403"] },
  );

  check("it is well to look at in light, dark and a narrow window", async (page) => {
    const pictures = process.env.PORTWAY_TEST_PICTURES || path.join(project.temporary, "pictures");
    await mkdir(pictures, { recursive: true });
    await inState(page, "api", "ready");
    // A fixed port, and what is wrong at both fields.
    const fixed = await freePort();
    await page.getByRole("link", { name: "Ports" }).click();
    const part = page.getByRole("region", { name: "Fixed ports" });
    await part.getByRole("textbox", { name: "Port" }).fill(String(fixed));
    await part.getByRole("combobox").selectOption({ label: "web of shop" });
    await part.getByRole("button", { name: "Lead here" }).click();
    await part.getByText("leads to web of shop").waitFor();
    for (const name of ["Look", "Lead here"]) await page.getByRole("button", { name }).click();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const [size, width] of [["wide", 1280], ["middle", 800], ["narrow", 320]]) {
        await page.setViewportSize({ width, height: 800 });
        for (const [view, ready] of [["services", ".instance"], ["ports", ".range"], ["logs", "#logs-lines p"]]) {
          if (view === "logs") {
            await page.getByRole("link", { name: "Services" }).click();
            await page.getByRole("button", { name: "Logs api of shop" }).click();
          } else {
            await page.getByRole("link", { name: view, exact: false }).click();
          }
          await page.locator(ready).first().waitFor();
          const name = `${view}-${size}-${colorScheme}`;
          await page.screenshot({ path: path.join(pictures, `${name}.png`) });
          const [wanted, there] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
          assert.ok(wanted <= there, `${name} is ${wanted - there} px too wide`);
          assert.deepEqual(await page.evaluate(contrasts, 4.5), [], name);
          if (view === "logs") await page.keyboard.press("Escape");
        }
      }
    }
    await page.emulateMedia({ reducedMotion: "reduce" });
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
    await page.getByRole("link", { name: "Ports" }).click();
    await part.getByRole("button", { name: "Let go" }).click();
    await part.getByText("leads to web of shop").waitFor({ state: "detached" });
  });

  check(
    "a gateway that was started anew is found again, and takes the page's requests",
    async (page) => {
      await inState(page, "api", "ready");
      const port = Number(new URL(home).port);
      await project.stopGateway();
      await page.getByText("the gateway does not answer").waitFor();
      await project.gateway(port);
      await page.getByText("1 of 1 instance running").waitFor();
      await page.getByRole("button", { name: "Stop api of shop" }).click();
      await inState(page, "api", "stopped");
    },
    // The browser tells of the connections that failed, and of the first answer to the old token.
    { errors: ["ERR_", "403"] },
  );
});
