// The browser extension in a real Firefox: the same files, another browser's rules.

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
  let opening; // the browser, promised
  let firefox;
  let origin;
  let named;
  let ports;
  let inside; // a page of the extension, which may ask what it may

  before(
    async () => {
      project = await Project.create(SHOP);
      named = await project.gateway();
      ports = await project.up();
      recorder = await serveRecorder(Number(new URL(named("portway")).port));
      opening = Firefox.open(project);
      firefox = await opening;
      origin = await firefox.install(EXTENSION);
      inside = await firefox.newPage();
      await inside.goto(`${origin}/options.html`);
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
    until(`a tab shows ${url}`, () => inside.evaluate(async (wanted) => (await chrome.tabs.query({})).find((tab) => tab.url === wanted)?.id, url));

  const untilBadge = (tab, text, title) =>
    until(`the badge ${text}`, async () => {
      const badge = await inside.evaluate(async (tabId) => [await chrome.action.getBadgeText({ tabId }), await chrome.action.getTitle({ tabId })], tab);
      return badge[0] === text && title.test(badge[1]);
    });

  const untilSettled = (tab) =>
    until("the page is settled", () => inside.evaluate(async (id) => (await chrome.tabs.sendMessage(id, { now: null })).isSettled, tab));

  check("has the rights of its manifest and no others", async () => {
    const { origins, permissions } = await inside.evaluate(() => chrome.permissions.getAll());
    const manifest = JSON.parse(await readExtension("manifest.json"));
    assert.deepEqual([...origins].sort(), [...manifest.host_permissions].sort());
    assert.deepEqual(permissions, manifest.permissions);
  });

  check("is told where the gateway is", async () => {
    await inside.evaluate((port) => {
      document.getElementById("port").value = port;
      document.getElementById("form").requestSubmit();
    }, recorder.port);
    await until("it is found", () => inside.evaluate(() => document.getElementById("found").textContent.startsWith("A gateway answers")));
  });

  check("lists what runs, with links", async () => {
    const popup = await firefox.newPage();
    await popup.goto(`${origin}/popup.html`);
    const links = await until("the list", () =>
      popup.evaluate(() => {
        const all = [...document.querySelectorAll("#instances a")].map((link) => [link.textContent, link.href]);
        return all.length > 0 && all;
      }),
    );
    assert.deepEqual(links, [
      ["web", named("shop")],
      [String(ports.web_port), `${ports.web_url}/`],
      ["api", named("api.shop")],
      [String(ports.api_port), `${ports.api_url}/`],
    ]);
    await popup.close();
  });

  for (const [how, url, service] of [
    ["port", () => `${ports.api_url}/`, "api"],
    ["name", () => named("shop"), "web"],
    ["route", () => `${named("shop")}api/items`, "api"],
  ]) {
    check(`says which service a page is of, by ${how}`, async () => {
      const page = await firefox.newPage();
      await page.goto(url());
      await untilBadge(await tabOf(url()), "main", new RegExp(`^${service} of shop \\(main\\): ready$`));
      await page.close();
    });
  }

  check("warns when the branch has been switched, until the page is loaded anew", async () => {
    const page = await firefox.newPage();
    const url = `${ports.web_url}/`;
    await page.goto(url);
    const tab = await tabOf(url);
    await untilSettled(tab);
    await project.switchTo("feature/basket");
    await until("the switch is told", async () => {
      await inside.show();
      await page.show();
      return inside.evaluate(async (tabId) => (await chrome.action.getBadgeText({ tabId })) === "!", tab);
    });
    await page.evaluate(() => history.pushState({}, "", "/elsewhere"));
    await tabOf(`${ports.web_url}/elsewhere`);
    await untilBadge(tab, "!", /^Another branch/);
    await page.reload();
    await untilBadge(tab, "bask", /^web of shop/);
    await page.close();
  });

  // Firefox lets people take the right away; Chrome lets them withhold it in the same way.
  check("says so where it may see no local page", async () => {
    const rights = JSON.parse(await readExtension("manifest.json")).host_permissions;
    assert.equal(await inside.evaluate((origins) => chrome.permissions.remove({ origins }), rights), true);
    const popup = await firefox.newPage();
    await popup.goto(`${origin}/popup.html`);
    const seen = () => [...document.querySelectorAll("main, section")].filter((one) => one.checkVisibility()).map(({ id }) => id);
    await until("it is said", async () => (await popup.evaluate(seen)).join() === "withheld");
    await popup.close();
  });

  check("has only read", () => {
    const asked = new Set(recorder.noted.map(({ method, url }) => `${method} ${url}`));
    assert.deepEqual([...asked].sort(), ["GET /v1/events", "GET /v1/gateway", "GET /v1/instances"]);
    for (const { headers } of recorder.noted) assert.equal(headers["portway-token"], undefined);
  });
});
