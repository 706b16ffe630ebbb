// Tests the example project in Chromium, started by Portway.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, it } from "node:test";

import { fetchInPage, openBrowser } from "./support/browser.js";
import { onInterrupt } from "./support/interrupt.js";
import { accepts, preflight, request, servePage } from "./support/network.js";
import { Project } from "./support/project.js";

const MINUTE = 60_000;
const ALLOW_ORIGIN = "access-control-allow-origin";

describe("the jobi example", () => {
  let project;
  let ports;
  let opening; // promise of the browser
  let browser;

  // Runs a test and prints the logs of the services if it fails.
  async function withLogs(step) {
    try {
      await step();
    } catch (error) {
      if (project) console.error(`portway logs:\n${await project.logs()}`);
      throw error;
    }
  }

  function check(name, step) {
    it(name, { timeout: 2 * MINUTE }, () => withLogs(step));
  }

  // Runs a test in a new page.
  function checkPage(name, step) {
    check(name, async () => {
      const page = await browser.newPage();
      try {
        await step(page);
      } finally {
        await page.close();
      }
    });
  }

  before(
    () =>
      withLogs(async () => {
        project = await Project.create();
        ports = await project.up();
        opening = openBrowser(project);
        browser = await opening;
      }),
    { timeout: 8 * MINUTE },
  );

  async function cleanUp() {
    try {
      // A browser that failed to open needs no closing.
      await opening?.then((opened) => opened.close(), () => {});
    } finally {
      await project?.dispose();
    }
  }

  onInterrupt(cleanUp);
  after(cleanUp, { timeout: 2 * MINUTE });

  check("gives each service its own port and URL", () => {
    assert.notEqual(ports.backend_port, ports.frontend_port);
    for (const service of ["backend", "frontend"]) {
      const port = ports[`${service}_port`];
      assert.ok(Number.isInteger(port), `${service}_port is ${port}`);
      assert.equal(new URL(ports[`${service}_url`]).port, String(port));
    }
  });

  checkPage("stores a job that the page sends through the Vite proxy", async (page) => {
    const jobsUrl = new URL("/api/jobs", ports.backend_url).href;
    const known = { title: "Lighthouse keeper", company: "North Coast" };
    const added = { title: "Cartographer", company: "Terra Nova" };
    assert.equal((await request(jobsUrl, { method: "POST", json: known })).status, 201);

    await page.goto(ports.frontend_url);
    const job = ({ title }) => page.getByTestId("job").filter({ hasText: title });
    await job(known).waitFor();

    const [sent] = await Promise.all([
      page.waitForRequest((seen) => seen.method() === "POST"),
      (async () => {
        await page.getByTestId("add-title").fill(added.title);
        await page.getByTestId("add-company").fill(added.company);
        await page.getByTestId("add-submit").click();
      })(),
    ]);
    await job(added).waitFor();
    assert.equal(new URL(sent.url()).origin, new URL(page.url()).origin, "the page sends requests to its own origin");

    await job(added).getByTestId("job-status").selectOption("applied");
    await page.locator('[data-testid="job"][data-status="applied"]').waitFor();

    const stored = (await request(jobsUrl)).json();
    assert.deepEqual(
      stored.map(({ title, company, status }) => ({ title, company, status })),
      [
        { ...added, status: "applied" },
        { ...known, status: "wishlist" },
      ],
    );
  });

  checkPage("allows the frontend's origins to call the backend directly", async (page) => {
    const infoUrl = new URL("/api/info", ports.backend_url).href;
    let visited = 0;

    for (const host of ["localhost", "127.0.0.1"]) {
      const origin = `http://${host}:${ports.frontend_port}`;
      const response = await preflight(infoUrl, origin);
      assert.equal(response.status, 200, `preflight from ${origin}`);
      assert.equal(response.headers[ALLOW_ORIGIN], origin);

      // Vite may listen on only one of the loopback addresses.
      if (!(await accepts(host, ports.frontend_port))) continue;
      visited += 1;
      await page.goto(origin);
      assert.equal(await page.evaluate(() => window.origin), origin);

      const { ok, type, body } = await fetchInPage(page, infoUrl);
      assert.deepEqual({ ok, type }, { ok: true, type: "cors" }, `fetch from ${origin}`);
      assert.equal(body.port, ports.backend_port);

      // The page makes the same request, to the URL that it was built with.
      await page.locator('[data-testid="direct-call"][data-state="success"]').waitFor();
      const shown = await page.getByTestId("direct-call-info").textContent();
      assert.ok(shown.includes(String(ports.backend_port)), shown);
    }

    assert.ok(visited > 0, "the browser reached the frontend on no loopback address");
  });

  checkPage("rejects cross-origin requests from other ports", async (page) => {
    const infoUrl = new URL("/api/info", ports.backend_url).href;
    const foreign = await servePage();
    try {
      // A permissive configuration might allow these ports.
      assert.ok(![3000, 5173, ports.frontend_port].includes(foreign.port));
      const origin = `http://127.0.0.1:${foreign.port}`;

      await page.goto(origin);
      const [message, rejected] = await Promise.all([
        page.waitForEvent("console", (seen) => seen.text().includes("CORS policy")),
        fetchInPage(page, infoUrl),
      ]);
      assert.deepEqual(rejected, { error: "TypeError" });
      assert.ok(message.text().includes(origin), message.text());

      // CORS rejects the request, not the network: a request that does not
      // read the response succeeds.
      const opaque = await fetchInPage(page, infoUrl, { mode: "no-cors" });
      assert.equal(opaque.type, "opaque");

      // The backend does not allow this origin.
      const responses = [
        await request(infoUrl, { headers: { Origin: origin } }),
        await preflight(infoUrl, origin),
      ];
      for (const { headers } of responses) {
        assert.equal(headers[ALLOW_ORIGIN], undefined);
      }
    } finally {
      await foreign.close();
    }
  });

  checkPage("shows an edited source file without a reload", async (page) => {
    const source = path.join(project.dir, "frontend", "src", "App.jsx");
    const original = await readFile(source, "utf8");
    const oldText = "Every application, and where it stands.";
    const newText = "Edited while the page is open.";
    assert.ok(original.includes(oldText));

    // The page misses edits before it is connected.
    await Promise.all([
      page.waitForEvent("console", (seen) => seen.text().includes("[vite] connected")),
      page.goto(ports.frontend_url),
    ]);
    const tagline = page.getByTestId("tagline");
    await tagline.filter({ hasText: oldText }).waitFor();

    // A reload would lose both.
    await page.evaluate(() => (window.stillTheSamePage = true));
    await page.getByTestId("add-title").fill("Half-typed");

    await writeFile(source, original.replace(oldText, newText));
    await tagline.filter({ hasText: newText }).waitFor();

    assert.equal(await page.evaluate(() => window.stillTheSamePage), true);
    assert.equal(await page.getByTestId("add-title").inputValue(), "Half-typed");
  });

  describe("through the gateway", () => {
    let urlOf; // URL of a name that the gateway serves

    before(async () => (urlOf = await project.startGateway()));
    after(() => project.stopGateway());

    checkPage("serves the page and its API on one origin", async (page) => {
      const sent = [];
      page.on("request", (request) => sent.push(new URL(request.url())));
      await page.goto(urlOf("jobi"));
      await page.getByTestId("add-title").fill("Beekeeper");
      await page.getByTestId("add-company").fill("Meadow");
      await page.getByTestId("add-submit").click();
      await page.getByTestId("job").filter({ hasText: "Beekeeper" }).waitFor();
      const posted = sent.filter((url) => url.pathname === "/api/jobs");
      assert.ok(posted.length > 0);
      for (const { origin } of posted) assert.equal(origin, new URL(urlOf("jobi")).origin);
    });

    checkPage("shows an edited source file without a reload", async (page) => {
      const source = path.join(project.dir, "frontend", "src", "App.jsx");
      const original = await readFile(source, "utf8");
      const newText = "Edited behind the gateway.";
      const sockets = [];
      page.on("websocket", (socket) => sockets.push(new URL(socket.url()).host));
      await Promise.all([
        page.waitForEvent("console", (seen) => seen.text().includes("[vite] connected")),
        page.goto(urlOf("frontend.jobi")),
      ]);
      // Without a WebSocket through the proxy, Vite's client would connect to Vite's own port.
      assert.deepEqual(sockets, [new URL(urlOf("frontend.jobi")).host]);
      await page.evaluate(() => (window.stillTheSamePage = true));
      await writeFile(source, original.replace(/(data-testid="tagline"[^>]*>)[^<]*/, `$1${newText}`));
      await page.getByTestId("tagline").filter({ hasText: newText }).waitFor();
      assert.equal(await page.evaluate(() => window.stillTheSamePage), true);
    });

    checkPage("replaces the waiting page with the app when its services are ready", async (page) => {
      await project.down();
      await page.goto(urlOf("jobi"));
      await page.getByRole("heading", { name: "jobi is not running" }).waitFor();
      await Promise.all([project.up(), page.getByTestId("add-title").waitFor()]);
    });

    // The services were restarted after the gateway, so they know its names.
    for (const name of ["jobi", "frontend.jobi"]) {
      checkPage(`allows pages of ${name}.localhost to call the backend directly`, async (page) => {
        const infoUrl = new URL("/api/info", ports.backend_url).href;
        await page.goto(urlOf(name));
        const { ok, type, body } = await fetchInPage(page, infoUrl);
        assert.deepEqual({ ok, type }, { ok: true, type: "cors" });
        assert.equal(body.port, ports.backend_port);
        await page.locator('[data-testid="direct-call"][data-state="success"]').waitFor();
      });
    }
  });

  check("closes all ports with `portway down`", async () => {
    const isOpen = async (port) => (await accepts("127.0.0.1", port)) || accepts("::1", port);
    const open = async () => ({
      backend: await isOpen(ports.backend_port),
      frontend: await isOpen(ports.frontend_port),
    });

    assert.deepEqual(await open(), { backend: true, frontend: true });
    await project.down();
    assert.deepEqual(await open(), { backend: false, frontend: false });
  });
});
