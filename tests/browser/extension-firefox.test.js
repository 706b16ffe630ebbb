// Tests the browser extension in Firefox.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { EXTENSION, readExtension, until } from "./support/extension.js";
import { Firefox } from "./support/firefox.js";
import { onInterrupt } from "./support/interrupt.js";
import { serveRecorder } from "./support/network.js";
import { Project } from "./support/project.js";

const SHOP = fileURLToPath(new URL("./fixtures/shop", import.meta.url));
const MINUTE = 60_000;

describe("the browser extension in Firefox", () => {
  let project;
  let recorder;
  let opening; // promise of the browser
  let firefox;
  let origin;
  let urlOf; // URL of a name that the gateway serves
  let ports;
  let extensionPage; // a page with the permissions of the extension

  before(
    async () => {
      project = await Project.create(SHOP);
      urlOf = await project.startGateway();
      ports = await project.up();
      recorder = await serveRecorder(Number(new URL(urlOf("portway")).port));
      opening = Firefox.open(project);
      firefox = await opening;
      origin = await firefox.install(EXTENSION);
      extensionPage = await firefox.newPage();
      await extensionPage.goto(`${origin}/options.html`);
    },
    { timeout: 2 * MINUTE },
  );

  async function cleanUp() {
    try {
      await opening?.then((opened) => opened.close(), () => {});
      await recorder?.close();
    } finally {
      await project?.dispose();
    }
  }

  onInterrupt(cleanUp);
  after(cleanUp, { timeout: 2 * MINUTE });

  const check = (name, step) => it(name, { timeout: MINUTE }, step);

  const tabOf = (url) =>
    until(`a tab shows ${url}`, () => extensionPage.evaluate(async (wanted) => (await chrome.tabs.query({})).find((tab) => tab.url === wanted)?.id, url));

  const untilBadge = (tab, text, title) =>
    until(`the badge ${text}`, async () => {
      const badge = await extensionPage.evaluate(async (tabId) => [await chrome.action.getBadgeText({ tabId }), await chrome.action.getTitle({ tabId })], tab);
      return badge[0] === text && title.test(badge[1]);
    });

  const untilSettled = (tab) =>
    until("the page is settled", () => extensionPage.evaluate(async (id) => (await chrome.tabs.sendMessage(id, { current: null })).isSettled, tab));

  check("has only the permissions in its manifest", async () => {
    const { origins, permissions } = await extensionPage.evaluate(() => chrome.permissions.getAll());
    const manifest = JSON.parse(await readExtension("manifest.json"));
    assert.deepEqual([...origins].sort(), [...manifest.host_permissions].sort());
    assert.deepEqual(permissions, manifest.permissions);
  });

  check("uses the configured gateway port", async () => {
    await extensionPage.evaluate((port) => {
      document.getElementById("port").value = port;
      document.getElementById("form").requestSubmit();
    }, recorder.port);
    await until("the gateway is found", () => extensionPage.evaluate(() => document.getElementById("status").textContent.startsWith("Gateway found")));
  });

  check("lists running services with links", async () => {
    const popup = await firefox.newPage();
    await popup.goto(`${origin}/popup.html`);
    const links = await until("the list", () =>
      popup.evaluate(() => {
        const all = [...document.querySelectorAll("#instances a")].map((link) => [link.textContent, link.href]);
        return all.length > 0 && all;
      }),
    );
    assert.deepEqual(links, [
      ["web", urlOf("shop")],
      [String(ports.web_port), `${ports.web_url}/`],
      ["api", urlOf("api.shop")],
      [String(ports.api_port), `${ports.api_url}/`],
    ]);
    await popup.close();
  });

  for (const [kind, url, service] of [
    ["port", () => `${ports.api_url}/`, "api"],
    ["name", () => urlOf("shop"), "web"],
    ["route", () => `${urlOf("shop")}api/items`, "api"],
  ]) {
    check(`shows the service of a page, by ${kind}`, async () => {
      const page = await firefox.newPage();
      await page.goto(url());
      await untilBadge(await tabOf(url()), "main", new RegExp(`^${service} of shop \\(main\\): ready$`));
      await page.close();
    });
  }

  check("warns after a branch switch until the page is reloaded", async () => {
    const page = await firefox.newPage();
    const url = `${ports.web_url}/`;
    await page.goto(url);
    const tab = await tabOf(url);
    await untilSettled(tab);
    await project.switchTo("feature/basket");
    await until("the badge warns", async () => {
      await extensionPage.show();
      await page.show();
      return extensionPage.evaluate(async (tabId) => (await chrome.action.getBadgeText({ tabId })) === "!", tab);
    });
    await page.evaluate(() => history.pushState({}, "", "/elsewhere"));
    await tabOf(`${ports.web_url}/elsewhere`);
    await untilBadge(tab, "!", /^Branch changed/);
    await page.reload();
    await untilBadge(tab, "bask", /^web of shop/);
    await page.close();
  });

  // Firefox lets users remove the permission. Chrome lets them withhold it.
  check("explains that it has no access to local pages", async () => {
    const hosts = JSON.parse(await readExtension("manifest.json")).host_permissions;
    assert.equal(await extensionPage.evaluate((origins) => chrome.permissions.remove({ origins }), hosts), true);
    const popup = await firefox.newPage();
    await popup.goto(`${origin}/popup.html`);
    const visible = () => [...document.querySelectorAll("main, section")].filter((one) => one.checkVisibility()).map(({ id }) => id);
    await until("the explanation", async () => (await popup.evaluate(visible)).join() === "no-access");
    await popup.close();
  });

  check("sent only read requests", () => {
    const requests = new Set(recorder.requests.map(({ method, url }) => `${method} ${url}`));
    assert.deepEqual([...requests].sort(), ["GET /v1/events", "GET /v1/gateway", "GET /v1/instances"]);
    for (const { headers } of recorder.requests) assert.equal(headers["portway-token"], undefined);
  });
});
