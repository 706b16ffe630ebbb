// Tests in Chromium that a page with hard-coded ports works under its names, in the main checkout
// and in a worktree beside it.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { openBrowser } from "./support/browser.js";
import { onInterrupt } from "./support/interrupt.js";
import { Project } from "./support/project.js";

const GUESTBOOK = fileURLToPath(new URL("./fixtures/guestbook", import.meta.url));
const MINUTE = 60_000;

describe("a page with hard-coded ports", () => {
  let project;
  let worktree;
  let opening; // promise of the browser
  let browser;
  let urlOf; // URL of a name that the gateway serves

  async function cleanUp() {
    try {
      // A browser that failed to open needs no closing.
      await opening?.then((opened) => opened.close(), () => {});
    } finally {
      await project?.dispose();
    }
  }

  // Opens a page and returns the requests that it sends.
  async function open(page, url) {
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("websocket", (socket) => requests.push(socket.url()));
    await page.goto(url);
    return requests;
  }

  function check(name, step) {
    it(name, { timeout: 2 * MINUTE }, async () => {
      const page = await browser.newPage();
      try {
        await step(page);
      } catch (error) {
        console.error(`portway logs:\n${await project.logs()}\n${await worktree.logs()}`);
        throw error;
      } finally {
        await page.close();
      }
    });
  }

  before(
    async () => {
      project = await Project.create(GUESTBOOK);
      worktree = await project.addWorktree("fix");
      urlOf = await project.startGateway();
      const main = await project.up();
      const ports = await worktree.up();
      // The literals of the page name the ports of the main checkout.
      assert.deepEqual([main.web_port, main.api_port], [21800, 21850]);
      assert.notEqual(ports.api_port, 21850);
      opening = openBrowser(project);
      browser = await opening;
    },
    { timeout: 4 * MINUTE },
  );

  onInterrupt(cleanUp);
  after(cleanUp, { timeout: 2 * MINUTE });

  check("calls its own services in the main checkout", async (page) => {
    await open(page, urlOf("guestbook"));
    await page.locator("#greeting", { hasText: /^guestbook$/ }).waitFor();
    await page.locator("#socket", { hasText: /^guestbook$/ }).waitFor();
  });

  check("calls its own services in a worktree", async (page) => {
    const requests = await open(page, urlOf("fix.guestbook"));
    for (const id of ["greeting", "strict", "socket"]) {
      await page.locator(`#${id}`, { hasText: /^fix\.guestbook$/ }).waitFor();
    }
    const link = await page.locator("a").getAttribute("href");
    assert.equal(link, `${urlOf("fix.guestbook")}about`);
    const api = urlOf("api.fix.guestbook");
    assert.ok(requests.includes(`${api}greeting`), requests.join("\n"));
    assert.ok(requests.includes(`${api.replace("http:", "ws:")}socket`), requests.join("\n"));
    assert.ok(requests.includes(`${api}picture`), requests.join("\n"));
    // Nothing reaches the main checkout.
    assert.deepEqual(requests.filter((url) => url.includes("localhost:218")), []);
  });
});
