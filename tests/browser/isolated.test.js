// Tests in Chromium that three checkouts run at once although every port of the project is hard-coded:
// that of its page, server, worker and debugger. Each page shows the data of its own checkout.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { openBrowser } from "./support/browser.js";
import { onInterrupt } from "./support/interrupt.js";
import { Project } from "./support/project.js";

const NOTES = fileURLToPath(new URL("./fixtures/notes", import.meta.url));
const MINUTE = 60_000;

// The name of each checkout at the gateway, with its notes.
const CHECKOUTS = new Map([
  ["notes", ["from main"]],
  ["fix.notes", ["from fix", "another one"]],
  ["feature.notes", ["from feature", "another one", "a third one"]],
]);

// What listens in every checkout.
const INNER = { web_port: 5173, api_port: 5000, worker_port: 7000, api_9229_port: 9229 };

describe("three checkouts in which every port is hard-coded", () => {
  const checkouts = new Map(); // by name: the checkout and its ports
  let main;
  let opening; // promise of the browser
  let browser;
  let urlOf; // URL of a name that the gateway serves
  let obstacle; // why this machine cannot isolate

  async function cleanUp() {
    try {
      // A browser that failed to open needs no closing.
      await opening?.then((opened) => opened.close(), () => {});
    } finally {
      await main?.dispose();
    }
  }

  function check(name, step) {
    it(name, { timeout: 2 * MINUTE }, async (test) => {
      if (obstacle) {
        console.error(`skipped: ${obstacle}`);
        test.skip(obstacle);
        return;
      }
      try {
        await step();
      } catch (error) {
        for (const { project } of checkouts.values()) {
          console.error(`portway logs:\n${await project.logs()}`);
        }
        throw error;
      }
    });
  }

  before(
    async () => {
      main = await Project.create(NOTES);
      obstacle = (await main.plan()).isolation.obstacles[0]?.cause;
      if (obstacle) return;
      urlOf = await main.startGateway();
      for (const [name, notes] of CHECKOUTS) {
        const branch = name.split(".")[0];
        const project = name === "notes" ? main : await main.addWorktree(branch);
        const data = { checkout: name, notes };
        await writeFile(path.join(project.dir, "data.json"), JSON.stringify(data));
        await project.up();
        checkouts.set(name, { project, ports: await project.portsWith("api_9229_port") });
      }
      opening = openBrowser(main);
      browser = await opening;
    },
    { timeout: 4 * MINUTE },
  );

  onInterrupt(cleanUp);
  after(cleanUp, { timeout: 2 * MINUTE });

  check("have ports of their own", async () => {
    const all = [...checkouts.values()].flatMap(({ ports }) => Object.keys(INNER).map((key) => ports[key]));
    assert.equal(all.length, 12);
    assert.equal(new Set(all).size, 12, all.join(" "));
  });

  for (const [name, notes] of CHECKOUTS) {
    check(`show the data of ${name} under its name`, async () => {
      const page = await browser.newPage();
      try {
        const requests = [];
        page.on("request", (request) => requests.push(request.url()));
        await page.goto(urlOf(name));
        await page.locator("#count", { hasText: String(notes.length) }).waitFor();
        assert.deepEqual(await page.locator("li").allTextContents(), notes);
        assert.equal(await page.locator("#api").textContent(), name);
        assert.equal(await page.locator("#worker").textContent(), name);
        // No request leaves the names of this checkout.
        const hosts = new Set(requests.map((url) => new URL(url).hostname));
        assert.deepEqual([...hosts].sort(), [`api.${name}.localhost`, `${name}.localhost`, `worker.${name}.localhost`]);
      } finally {
        await page.close();
      }
    });
  }

  check("have a debugger each, at once", async () => {
    for (const { project, ports } of checkouts.values()) {
      const response = await fetch(`http://127.0.0.1:${ports.api_9229_port}/json/list`);
      const [target] = await response.json();
      assert.equal(fileURLToPath(target.url), path.join(project.dir, "api.js"));
    }
  });

  check("see every literal as their own from a command inside", async () => {
    for (const [name, { project }] of checkouts) {
      const script = 'fetch("http://localhost:7000/").then((r) => r.json()).then((a) => console.log(a.checkout))';
      assert.equal((await project.exec(["node", "-e", script])).trim(), name);
    }
  });
});
