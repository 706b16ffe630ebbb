// Tests the browser extension in Chromium, with running services.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { openBrowser } from "./support/browser.js";
import { findLowContrast } from "./support/contrast.js";
import { EXTENSION, Extension, readExtension } from "./support/extension.js";
import { onInterrupt } from "./support/interrupt.js";
import { servePage, serveRecorder } from "./support/network.js";
import { Project } from "./support/project.js";

const SHOP = fileURLToPath(new URL("./fixtures/shop", import.meta.url));
const MINUTE = 60_000;

describe("the browser extension", () => {
  let project;
  let other; // a second checkout
  let foreign; // a page that Portway does not serve
  let recorder;
  let opening; // promise of the browser
  let browser;
  let extension;
  let urlOf; // URL of a name that the gateway serves
  let ports;

  // Runs a test in a new page and restores the branch afterwards.
  function check(name, step) {
    it(name, { timeout: 2 * MINUTE }, async () => {
      const page = await browser.newPage();
      try {
        await step({
          page,
          // Opens a URL and returns the id of its tab.
          show: async (url) => {
            await page.goto(url);
            return extension.tab(page.url());
          },
        });
      } catch (error) {
        console.error(`portway logs:\n${await project.logs()}`);
        throw error;
      } finally {
        await page.close();
        await project.switchTo("main");
      }
    });
  }

  // Opens the popup for the active tab.
  async function inPopup(step) {
    const popup = await extension.popup();
    try {
      return await step(popup);
    } finally {
      await popup.close();
    }
  }

  // Switches to another tab and back.
  async function returnTo(page) {
    const other = await browser.newPage();
    await other.bringToFront();
    await page.bringToFront();
    await other.close();
  }

  before(
    async () => {
      project = await Project.create(SHOP);
      other = await project.addCheckout("other", "feature/auth");
      urlOf = await project.startGateway();
      foreign = await servePage();
      const gateway = Number(new URL(urlOf("portway")).port);
      recorder = await serveRecorder(gateway);
      // The gateway appears on its default port, and another server on port 80.
      const hosts = [
        `MAP portway.localhost:7678 127.0.0.1:${gateway}`,
        `MAP portway.localhost:80 127.0.0.1:${foreign.port}`,
        "MAP *.localhost 127.0.0.1",
        "MAP * ~NOTFOUND",
        "EXCLUDE localhost",
        "EXCLUDE 127.0.0.1",
        "EXCLUDE [::1]",
      ].join(", ");
      opening = openBrowser(project, { extension: EXTENSION, hosts });
      browser = await opening;
      extension = await Extension.in(browser);
    },
    { timeout: 2 * MINUTE },
  );

  async function cleanUp() {
    try {
      await opening?.then((opened) => opened.close(), () => {});
      await Promise.all([foreign?.close(), recorder?.close()]);
    } finally {
      await project?.dispose();
    }
  }

  onInterrupt(cleanUp);
  after(cleanUp, { timeout: 2 * MINUTE });

  check("finds the gateway on its default port, although another server uses port 80", async () => {
    await extension.untilBadge(undefined, "", /0 instances running/);
    await inPopup((popup) => popup.untilText(/No services are running\. Run `portway up` in a project to start them\./));
  });

  check("lists running services with their state and links", async ({ page }) => {
    await page.goto("about:blank");
    await inPopup(async (popup) => {
      await popup.untilText(/No services are running/);
      ports = await project.up();
      await popup.untilText(/shop\s+Ready\s+⎇? ?main\s+web\s+\d+\s+Ready\s+api\s+\d+\s+Ready/, "#instances");
      const links = await popup.evaluate(() => [...document.querySelectorAll("#instances a")].map((link) => [link.textContent, link.href]));
      assert.deepEqual(links, [
        ["web", urlOf("shop")],
        [String(ports.web_port), `${ports.web_url}/`],
        ["api", urlOf("api.shop")],
        [String(ports.api_port), `${ports.api_url}/`],
      ]);
      assert.equal(await popup.evaluate(() => document.getElementById("dashboard").href), "http://portway.localhost:7678/");
      // The popup describes local pages only.
      assert.equal(await popup.text("#page"), "");
      // The badge is updated as well.
      await extension.untilBadge(undefined, "1", /1 instance running$/);
    });
  });

  for (const [kind, url, service, match] of [
    ["port", () => `${ports.api_url}/`, "api", "Matched by port"],
    ["name", () => urlOf("api.shop"), "api", "Matched by name"],
    ["the name of the instance", () => urlOf("shop"), "web", "Matched by name"],
    ["route", () => `${urlOf("shop")}api/items`, "api", "Matched by route /api"],
  ]) {
    check(`shows project, branch and service of a page, by ${kind}`, async ({ show }) => {
      const tab = await show(url());
      await extension.untilBadge(tab, "main", new RegExp(`^${service} of shop \\(main\\): ready$`));
      await inPopup(async (popup) => {
        const text = await popup.untilText(/shop/, "#page");
        assert.deepEqual(text.split(/\n+/), [service, "Ready", "shop", "main", project.dir, match]);
        const current = await popup.evaluate(() => [...document.querySelectorAll("[aria-current] .name")].map(({ textContent }) => textContent));
        assert.deepEqual(current, [service]);
        assert.equal(await popup.text("#warning"), "");
      });
    });
  }

  check("does not mistake another page for a service", async ({ show }) => {
    const tab = await show(`http://127.0.0.1:${foreign.port}/`);
    await extension.untilBadge(tab, "1", /1 instance running/);
    await inPopup((popup) => popup.untilText(/Not a Portway service/, "#page"));
    // The page ignores a message that was sent for the previous page in its tab.
    const send = (origin) => extension.evaluate(([tab, message]) => chrome.tabs.sendMessage(tab, message), [tab, { current: { id: "a" }, origin }]);
    assert.equal((await send(new URL(ports.web_url).origin)).loaded, null);
    assert.equal((await send(`http://127.0.0.1:${foreign.port}`)).loaded.id, "a");
  });

  check("warns after a branch switch until the page is reloaded", async ({ page, show }) => {
    const tab = await show(ports.web_url);
    await extension.untilSettled(tab);
    await extension.untilBadge(tab, "main");
    await inPopup(async (popup) => {
      await popup.untilText(/shop/, "#page");
      await project.switchTo("feature/basket");
      await popup.untilText(/Branch changed\s+This page was loaded from main\. Its address now serves feature\/basket\./, "#warning");
      await extension.untilBadge(tab, "!", /^Branch changed: .*feature\/basket/);
    });
    // The warning remains when the page changes its own URL.
    await page.evaluate(() => history.pushState({}, "", "/elsewhere"));
    await extension.tab(page.url());
    await extension.untilBadge(tab, "!");
    // The warning remains when the background worker is stopped.
    const session = await browser.newCDPSession(await optionsPage(page));
    await extension.evaluate(() => (globalThis.isAwake = true));
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await returnTo(page);
    await extension.untilBadge(tab, "!");
    assert.equal(await extension.evaluate(() => globalThis.isAwake), undefined);

    await page.bringToFront();
    const loaded = page.waitForEvent("load");
    await inPopup(async (popup) => {
      await popup.untilText(/Reload page/, "#warning");
      await popup.evaluate(() => document.getElementById("reload").click());
      await loaded;
    });
    await extension.untilBadge(tab, "bask", /^web of shop/);
    await inPopup(async (popup) => {
      await popup.untilText(/feature\/basket/, "#page");
      assert.equal(await popup.text("#warning"), "");
    });
  });

  check("does not warn about a branch switch that caused the reload", async ({ page, show }) => {
    const tab = await show(ports.web_url);
    await extension.untilBadge(tab, "main");
    await extension.untilSettled(tab);
    // A development server reloads the page while the branch is still being switched.
    await page.reload();
    await project.switchTo("hotfix");
    await extension.untilSettled(tab);
    await returnTo(page);
    await extension.untilBadge(tab, "hotf");
  });

  check("warns when another checkout uses the port", async ({ page, show }) => {
    const tab = await show(ports.web_url);
    await extension.untilBadge(tab, "main");
    await project.down();
    await returnTo(page);
    await extension.untilBadge(tab, "main", /stopped/);
    await other.forcePorts({ web_port: ports.web_port });
    const otherPorts = await other.up();
    assert.equal(otherPorts.web_port, ports.web_port);
    await returnTo(page);
    await extension.untilBadge(tab, "!", /^Checkout changed/);
    await inPopup(async (popup) => {
      await popup.untilText(/Checkout changed\s+This page was loaded from shop \(main\)\. Its address now serves shop-\w+ \(feature\/auth\)\./, "#warning");
      await popup.untilText(new RegExp(other.dir), "#page");
    });
    await page.reload();
    await extension.untilBadge(tab, "auth", /^web of shop-/);
    ports = await project.up();
  });

  check("does not wait for a page that is paused in a debugger", async ({ page, show }) => {
    const paused = await browser.newPage();
    await paused.goto(ports.api_url);
    const session = await browser.newCDPSession(paused);
    await session.send("Debugger.enable");
    const isPaused = new Promise((resolve) => session.once("Debugger.paused", resolve));
    await session.send("Debugger.pause");
    const step = paused.evaluate(() => 1);
    await isPaused;
    await page.bringToFront();
    await extension.untilBadge(await show(ports.web_url), "main");
    await session.send("Debugger.resume");
    await step;
    await paused.close();
  });

  check("sends only the read requests that it needs", async ({ page, show }) => {
    const options = await optionsPage(page);
    await options.getByLabel("Gateway port").fill(String(recorder.port));
    await options.getByRole("button", { name: "Save" }).click();
    await options.getByText("Gateway found on port").waitFor();
    const tab = await show(ports.web_url);
    await extension.untilBadge(tab, "main");
    await inPopup((popup) => popup.untilText(/Ready/, "#instances"));
    const requests = new Set(recorder.requests.map(({ method, url }) => `${method} ${url}`));
    assert.deepEqual([...requests].sort(), ["GET /v1/events", "GET /v1/gateway", "GET /v1/instances"]);
    for (const { body, headers } of recorder.requests) {
      assert.equal(body, "");
      for (const name of ["origin", "cookie", "portway-token", "authorization"]) assert.equal(headers[name], undefined);
    }

    // With a wrong port it finds no gateway; without a port it checks the default ports again.
    await options.bringToFront();
    await options.getByLabel("Gateway port").fill(String(foreign.port));
    await options.getByRole("button", { name: "Save" }).click();
    await options.getByText("No gateway found.").waitFor();
    await options.getByLabel("Gateway port").fill("");
    await options.keyboard.press("Enter");
    await options.getByText("Gateway found on port").waitFor();
  });

  check("is not allowed to change anything", async () => {
    const [{ id }] = await extension.evaluate(async () => (await fetch("http://portway.localhost:7678/v1/instances")).json());
    const statuses = await extension.evaluate(async (id) => {
      const home = "http://portway.localhost:7678";
      const token = /name="portway-token" content="([^"]*)"/.exec(await (await fetch(home)).text())[1];
      const headers = { "content-type": "application/json", "portway-token": token };
      const send = async (action) => (await fetch(`${home}/v1/instances/${id}/${action}`, { method: "POST", headers, body: "{}" })).status;
      return Promise.all(["stop", "start", "restart"].map(send));
    }, id);
    assert.deepEqual(statuses, [403, 403, 403]);
  });

  check("has sufficient contrast in both themes and is usable by keyboard", async ({ page, show }) => {
    const pictures = process.env.PORTWAY_TEST_PICTURES || path.join(project.temporary, "pictures");
    await mkdir(pictures, { recursive: true });
    await extension.untilSettled(await show(ports.web_url));
    await inPopup(async (popup) => {
      await popup.untilText(/Ready/, "#page");
      await project.switchTo("feature/basket");
      await popup.untilText(/Branch changed/, "#warning");
      for (const theme of ["light", "dark"]) {
        await popup.setTheme(theme);
        assert.deepEqual(await popup.evaluate(findLowContrast, 4.5), [], theme);
        assert.equal(await popup.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
        await writeFile(path.join(pictures, `extension-${theme}.png`), await popup.screenshot());
      }
      const focused = [];
      for (let step = 0; step < 4; step += 1) {
        await popup.press("Tab");
        focused.push(await popup.evaluate(() => document.activeElement.id || document.activeElement.textContent));
        assert.notEqual(await popup.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
      }
      assert.deepEqual(focused, ["dashboard", "reload", "web", String(ports.web_port)]);
    });
  });

  check("explains how to start a gateway, and finds it when it starts", async ({ page, show }) => {
    const tab = await show(ports.web_url);
    await extension.untilBadge(tab, "main");
    const port = Number(new URL(urlOf("portway")).port);
    await inPopup(async (popup) => {
      await popup.untilText(/Ready/, "#instances");
      await project.stopGateway();
      await popup.untilText(/No gateway found[^]*portway gateway --detach[^]*ports 80 and 7678/, "#no-gateway");
      for (const theme of ["light", "dark"]) {
        await popup.setTheme(theme);
        assert.deepEqual(await popup.evaluate(findLowContrast, 4.5), [], theme);
        const pictures = process.env.PORTWAY_TEST_PICTURES;
        if (pictures) await writeFile(path.join(pictures, `extension-no-gateway-${theme}.png`), await popup.screenshot());
      }
      assert.equal(await popup.text("#instances"), "");
      await returnTo(page);
      await extension.untilBadge(tab, "", /no gateway found/);
    });
    await inPopup(async (popup) => {
      await popup.untilText(/No gateway found/, "#no-gateway");
      await project.startGateway(port);
      await popup.untilText(/Ready/, "#page");
      assert.equal(await popup.text("#no-gateway"), "");
    });
  });

  check("has icons that match their source", async ({ page }) => {
    const source = await readExtension("icons/icon.svg");
    for (const [size, file] of Object.entries(JSON.parse(await readExtension("manifest.json")).icons)) {
      await page.setContent(`<style>body { margin: 0 } svg, img { display: block; width: ${size}px }</style>${source}`);
      const difference = await page.evaluate(async ([svg, png, size]) => {
        const pixels = async (url) => {
          const image = new Image();
          image.src = url;
          await image.decode();
          const canvas = new OffscreenCanvas(size, size).getContext("2d");
          canvas.drawImage(image, 0, 0, size, size);
          return { width: image.naturalWidth, data: canvas.getImageData(0, 0, size, size).data };
        };
        const [expected, actual] = [await pixels(`data:image/svg+xml,${encodeURIComponent(svg)}`), await pixels(png)];
        const differences = expected.data.map((value, at) => Math.abs(value - actual.data[at]));
        return { width: actual.width, mean: differences.reduce((sum, one) => sum + one, 0) / differences.length };
      }, [source, `data:image/png;base64,${await readExtension(file, "base64")}`, Number(size)]);
      assert.equal(difference.width, Number(size));
      assert.ok(difference.mean < 6, `${file} differs by ${difference.mean}`);
    }
  });

  // Opens the options page in a new tab, which is closed together with `page`.
  async function optionsPage(page) {
    const options = await page.context().newPage();
    await options.goto(`${extension.origin}/options.html`);
    page.once("close", () => options.close().catch(() => {}));
    return options;
  }
});
