// The browser extension in a real Chromium, over services that really run.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { openBrowser } from "./support/browser.js";
import { EXTENSION, Extension, readExtension } from "./support/extension.js";
import { onInterrupt } from "./support/interrupt.js";
import { contrasts } from "./support/looks.js";
import { servePage, serveRecorder } from "./support/network.js";
import { Project } from "./support/project.js";

const SHOP = fileURLToPath(new URL("./fixtures/shop", import.meta.url));
const MINUTE = 60_000;

describe("the browser extension", () => {
  let project;
  let other; // a second checkout
  let stranger;
  let recorder;
  let opening; // the browser, promised
  let browser;
  let extension;
  let named;
  let ports;

  // A step with a page and its tab, and with nothing open from the steps before.
  function check(name, step) {
    it(name, { timeout: 2 * MINUTE }, async () => {
      const page = await browser.newPage();
      try {
        await step({
          page,
          // Shows a URL, and gives back its tab.
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

  // Shows the popup over the page that is seen.
  async function inPopup(step) {
    const popup = await extension.popup();
    try {
      return await step(popup);
    } finally {
      await popup.close();
    }
  }

  // As somebody does who comes back to a tab from elsewhere.
  async function comeBack(page) {
    const elsewhere = await browser.newPage();
    await elsewhere.bringToFront();
    await page.bringToFront();
    await elsewhere.close();
  }

  before(
    async () => {
      project = await Project.create(SHOP);
      other = await project.another("other", "feature/auth");
      named = await project.gateway();
      stranger = await servePage();
      const gateway = Number(new URL(named("portway")).port);
      recorder = await serveRecorder(gateway);
      // The gateway as it were on its usual port, and another's page on port 80.
      const hosts = [
        `MAP portway.localhost:7678 127.0.0.1:${gateway}`,
        `MAP portway.localhost:80 127.0.0.1:${stranger.port}`,
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
      await Promise.all([stranger?.close(), recorder?.close()]);
    } finally {
      await project?.dispose();
    }
  }

  onInterrupt(cleanUp);
  after(cleanUp, { timeout: 2 * MINUTE });

  check("finds the gateway on its usual port, past another’s page on port 80", async () => {
    await extension.untilBadge(undefined, "", /0 instances run/);
    await inPopup((popup) => popup.untilText(/Nothing runs; `portway up` in a project starts it/));
  });

  check("lists what runs, with health and links, as soon as it runs", async ({ page }) => {
    await page.goto("about:blank");
    await inPopup(async (popup) => {
      await popup.untilText(/Nothing runs/);
      ports = await project.up();
      await popup.untilText(/shop\s+ready\s+⎇? ?main\s+web\s+\d+\s+ready\s+api\s+\d+\s+ready/, "#instances");
      const links = await popup.evaluate(() => [...document.querySelectorAll("#instances a")].map((link) => [link.textContent, link.href]));
      assert.deepEqual(links, [
        ["web", named("shop")],
        [String(ports.web_port), `${ports.web_url}/`],
        ["api", named("api.shop")],
        [String(ports.api_port), `${ports.api_url}/`],
      ]);
      assert.equal(await popup.evaluate(() => document.getElementById("dashboard").href), "http://portway.localhost:7678/");
      // Of a page that is not local nothing is said.
      assert.equal(await popup.text("#page"), "");
      // And the badge says the same.
      await extension.untilBadge(undefined, "1", /1 instance runs$/);
    });
  });

  for (const [how, url, service, by] of [
    ["port", () => `${ports.api_url}/`, "api", "by its port"],
    ["name", () => named("api.shop"), "api", "by its name"],
    ["the instance’s own name", () => named("shop"), "web", "by its name"],
    ["route", () => `${named("shop")}api/items`, "api", "by the route /api"],
  ]) {
    check(`says which project, branch and service a page is of, by ${how}`, async ({ show }) => {
      const tab = await show(url());
      await extension.untilBadge(tab, "main", new RegExp(`^${service} of shop \\(main\\): ready$`));
      await inPopup(async (popup) => {
        const text = await popup.untilText(/shop/, "#page");
        assert.deepEqual(text.split(/\n+/), [service, "ready", "shop", "main", project.dir, by]);
        const here = await popup.evaluate(() => [...document.querySelectorAll("[aria-current] .name")].map(({ textContent }) => textContent));
        assert.deepEqual(here, [service]);
        assert.equal(await popup.text("#warning"), "");
      });
    });
  }

  check("does not take a stranger’s page for a service", async ({ show }) => {
    const tab = await show(`http://127.0.0.1:${stranger.port}/`);
    await extension.untilBadge(tab, "1", /1 instance runs/);
    await inPopup((popup) => popup.untilText(/Not Portway’s/, "#page"));
    // Nor does it remember what was said for the page before.
    const told = (origin) => extension.evaluate(([tab, message]) => chrome.tabs.sendMessage(tab, message), [tab, { now: { id: "a" }, origin }]);
    assert.equal((await told(new URL(ports.web_url).origin)).seen, null);
    assert.equal((await told(`http://127.0.0.1:${stranger.port}`)).seen.id, "a");
  });

  check("warns when the branch has been switched, until the page is loaded anew", async ({ page, show }) => {
    const tab = await show(ports.web_url);
    await extension.untilSettled(tab);
    await extension.untilBadge(tab, "main");
    await inPopup(async (popup) => {
      await popup.untilText(/shop/, "#page");
      await project.switchTo("feature/basket");
      await popup.untilText(/The branch has changed\s+This page was loaded from main; now it would be feature\/basket\./, "#warning");
      await extension.untilBadge(tab, "!", /^Another branch .*feature\/basket/);
    });
    // A page that changes its own URL is still the same page.
    await page.evaluate(() => history.pushState({}, "", "/elsewhere"));
    await extension.tab(page.url());
    await extension.untilBadge(tab, "!");
    // Nor does it matter that the background sleeps.
    const session = await browser.newCDPSession(await optionsPage(page));
    await extension.evaluate(() => (globalThis.isAwake = true));
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await comeBack(page);
    await extension.untilBadge(tab, "!");
    assert.equal(await extension.evaluate(() => globalThis.isAwake), undefined);

    await page.bringToFront();
    const loaded = page.waitForEvent("load");
    await inPopup(async (popup) => {
      await popup.untilText(/Reload the page/, "#warning");
      await popup.evaluate(() => document.getElementById("reload").click());
      await loaded;
    });
    await extension.untilBadge(tab, "bask", /^web of shop/);
    await inPopup(async (popup) => {
      await popup.untilText(/feature\/basket/, "#page");
      assert.equal(await popup.text("#warning"), "");
    });
  });

  check("does not warn of a switch that the page was reloaded for", async ({ page, show }) => {
    const tab = await show(ports.web_url);
    await extension.untilBadge(tab, "main");
    await extension.untilSettled(tab);
    // A development server reloads the page while the branch is still being switched.
    await page.reload();
    await project.switchTo("hotfix");
    await extension.untilSettled(tab);
    await comeBack(page);
    await extension.untilBadge(tab, "hotf");
  });

  check("warns when another checkout stands behind the port", async ({ page, show }) => {
    const tab = await show(ports.web_url);
    await extension.untilBadge(tab, "main");
    await project.down();
    await comeBack(page);
    await extension.untilBadge(tab, "main", /stopped/);
    await other.wish({ web_port: ports.web_port });
    const others = await other.up();
    assert.equal(others.web_port, ports.web_port);
    await comeBack(page);
    await extension.untilBadge(tab, "!", /^Another checkout/);
    await inPopup(async (popup) => {
      await popup.untilText(/Another checkout is here now\s+This page was loaded from shop \(main\); now it would be shop-\w+ \(feature\/auth\)\./, "#warning");
      await popup.untilText(new RegExp(other.dir), "#page");
    });
    await page.reload();
    await extension.untilBadge(tab, "auth", /^web of shop-/);
    ports = await project.up();
  });

  check("is not held up by a page that is halted in a debugger", async ({ page, show }) => {
    const halted = await browser.newPage();
    await halted.goto(ports.api_url);
    const session = await browser.newCDPSession(halted);
    await session.send("Debugger.enable");
    const isPaused = new Promise((resolve) => session.once("Debugger.paused", resolve));
    await session.send("Debugger.pause");
    const step = halted.evaluate(() => 1);
    await isPaused;
    await page.bringToFront();
    await extension.untilBadge(await show(ports.web_url), "main");
    await session.send("Debugger.resume");
    await step;
    await halted.close();
  });

  check("only reads, and only what it needs", async ({ page, show }) => {
    const options = await optionsPage(page);
    await options.getByLabel("Port of Portway’s gateway").fill(String(recorder.port));
    await options.getByRole("button", { name: "Save" }).click();
    await options.getByText("A gateway answers on port").waitFor();
    const tab = await show(ports.web_url);
    await extension.untilBadge(tab, "main");
    await inPopup((popup) => popup.untilText(/ready/, "#instances"));
    const asked = new Set(recorder.noted.map(({ method, url }) => `${method} ${url}`));
    assert.deepEqual([...asked].sort(), ["GET /v1/events", "GET /v1/gateway", "GET /v1/instances"]);
    for (const { body, headers } of recorder.noted) {
      assert.equal(body, "");
      for (const name of ["origin", "cookie", "portway-token", "authorization"]) assert.equal(headers[name], undefined);
    }

    // A port on which no gateway is leaves it without one, and none makes it look as before.
    await options.bringToFront();
    await options.getByLabel("Port of Portway’s gateway").fill(String(stranger.port));
    await options.getByRole("button", { name: "Save" }).click();
    await options.getByText("No gateway answers there now.").waitFor();
    await options.getByLabel("Port of Portway’s gateway").fill("");
    await options.keyboard.press("Enter");
    await options.getByText("A gateway answers on port").waitFor();
  });

  check("cannot change anything, if it wanted to", async () => {
    const [{ id }] = await extension.evaluate(async () => (await fetch("http://portway.localhost:7678/v1/instances")).json());
    const statuses = await extension.evaluate(async (id) => {
      const home = "http://portway.localhost:7678";
      const token = /name="portway-token" content="([^"]*)"/.exec(await (await fetch(home)).text())[1];
      const headers = { "content-type": "application/json", "portway-token": token };
      const ask = async (verb) => (await fetch(`${home}/v1/instances/${id}/${verb}`, { method: "POST", headers, body: "{}" })).status;
      return Promise.all(["stop", "start", "restart"].map(ask));
    }, id);
    assert.deepEqual(statuses, [403, 403, 403]);
  });

  check("is read well in light and dark, and used by the keyboard", async ({ page, show }) => {
    const pictures = process.env.PORTWAY_TEST_PICTURES || path.join(project.temporary, "pictures");
    await mkdir(pictures, { recursive: true });
    await extension.untilSettled(await show(ports.web_url));
    await inPopup(async (popup) => {
      await popup.untilText(/ready/, "#page");
      await project.switchTo("feature/basket");
      await popup.untilText(/branch has changed/, "#warning");
      for (const colours of ["light", "dark"]) {
        await popup.theme(colours);
        assert.deepEqual(await popup.evaluate(contrasts, 4.5), [], colours);
        assert.equal(await popup.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
        await writeFile(path.join(pictures, `extension-${colours}.png`), await popup.picture());
      }
      const reached = [];
      for (let step = 0; step < 4; step += 1) {
        await popup.press("Tab");
        reached.push(await popup.evaluate(() => document.activeElement.id || document.activeElement.textContent));
        assert.notEqual(await popup.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
      }
      assert.deepEqual(reached, ["dashboard", "reload", "web", String(ports.web_port)]);
    });
  });

  check("says what to do where no gateway answers, and sees it come", async ({ page, show }) => {
    const tab = await show(ports.web_url);
    await extension.untilBadge(tab, "main");
    const port = Number(new URL(named("portway")).port);
    await inPopup(async (popup) => {
      await popup.untilText(/ready/, "#instances");
      await project.stopGateway();
      await popup.untilText(/No gateway answers[^]*portway gateway --detach[^]*ports 80 and 7678/, "#nobody");
      for (const colours of ["light", "dark"]) {
        await popup.theme(colours);
        assert.deepEqual(await popup.evaluate(contrasts, 4.5), [], colours);
        const pictures = process.env.PORTWAY_TEST_PICTURES;
        if (pictures) await writeFile(path.join(pictures, `extension-nobody-${colours}.png`), await popup.picture());
      }
      assert.equal(await popup.text("#instances"), "");
      await comeBack(page);
      await extension.untilBadge(tab, "", /no gateway answers/);
    });
    await inPopup(async (popup) => {
      await popup.untilText(/No gateway answers/, "#nobody");
      await project.gateway(port);
      await popup.untilText(/ready/, "#page");
      assert.equal(await popup.text("#nobody"), "");
    });
  });

  check("its icons are drawn from their source", async ({ page }) => {
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
        const [drawn, kept] = [await pixels(`data:image/svg+xml,${encodeURIComponent(svg)}`), await pixels(png)];
        const differences = drawn.data.map((value, at) => Math.abs(value - kept.data[at]));
        return { width: kept.width, mean: differences.reduce((sum, one) => sum + one, 0) / differences.length };
      }, [source, `data:image/png;base64,${await readExtension(file, "base64")}`, Number(size)]);
      assert.equal(difference.width, Number(size));
      assert.ok(difference.mean < 6, `${file} differs by ${difference.mean}`);
    }
  });

  // A page of the extension itself, in a tab beside the page.
  async function optionsPage(page) {
    const options = await page.context().newPage();
    await options.goto(`${extension.origin}/options.html`);
    page.once("close", () => options.close().catch(() => {}));
    return options;
  }
});
