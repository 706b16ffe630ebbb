// Portway brings up the example project; a real browser uses it.

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

describe("jobi, brought up by portway", () => {
  let project;
  let ports;
  let opening; // the browser, promised
  let browser;

  // Runs one step; when it fails, shows what the services said.
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

  // The same, with a page of its own.
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
      // One that failed to open has nothing to close.
      await opening?.then((opened) => opened.close(), () => {});
    } finally {
      await project?.dispose();
    }
  }

  onInterrupt(cleanUp);
  after(cleanUp, { timeout: 2 * MINUTE });

  check("every service has a port of its own, and its address names it", () => {
    assert.notEqual(ports.backend_port, ports.frontend_port);
    for (const service of ["backend", "frontend"]) {
      const port = ports[`${service}_port`];
      assert.ok(Number.isInteger(port), `${service}_port is ${port}`);
      assert.equal(new URL(ports[`${service}_url`]).port, String(port));
    }
  });

  checkPage("a job added in the page reaches the backend through the Vite proxy", async (page) => {
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
    assert.equal(new URL(sent.url()).origin, new URL(page.url()).origin, "the page asks its own origin");

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

  checkPage("the frontend's origins may call the backend directly", async (page) => {
    const infoUrl = new URL("/api/info", ports.backend_url).href;
    let visited = 0;

    for (const host of ["localhost", "127.0.0.1"]) {
      const origin = `http://${host}:${ports.frontend_port}`;
      const answer = await preflight(infoUrl, origin);
      assert.equal(answer.status, 200, `preflight from ${origin}`);
      assert.equal(answer.headers[ALLOW_ORIGIN], origin);

      // Vite may listen on one of the loopback addresses only.
      if (!(await accepts(host, ports.frontend_port))) continue;
      visited += 1;
      await page.goto(origin);
      assert.equal(await page.evaluate(() => window.origin), origin);

      const { ok, type, body } = await fetchInPage(page, infoUrl);
      assert.deepEqual({ ok, type }, { ok: true, type: "cors" }, `fetch from ${origin}`);
      assert.equal(body.port, ports.backend_port);

      // The page itself makes the same call, to the address it was built with.
      await page.locator('[data-testid="direct-call"][data-state="success"]').waitFor();
      const shown = await page.getByTestId("direct-call-info").textContent();
      assert.ok(shown.includes(String(ports.backend_port)), shown);
    }

    assert.ok(visited > 0, "the browser reached the frontend on no loopback address");
  });

  checkPage("a page from any other port is refused", async (page) => {
    const infoUrl = new URL("/api/info", ports.backend_url).href;
    const stranger = await servePage();
    try {
      // Ports that a careless configuration might let in would prove nothing.
      assert.ok(![3000, 5173, ports.frontend_port].includes(stranger.port));
      const origin = `http://127.0.0.1:${stranger.port}`;

      await page.goto(origin);
      const [message, refused] = await Promise.all([
        page.waitForEvent("console", (seen) => seen.text().includes("CORS policy")),
        fetchInPage(page, infoUrl),
      ]);
      assert.deepEqual(refused, { error: "TypeError" });
      assert.ok(message.text().includes(origin), message.text());

      // It is the rule that refuses, not the network: without asking to read
      // the answer, the same request goes through.
      const opaque = await fetchInPage(page, infoUrl, { mode: "no-cors" });
      assert.equal(opaque.type, "opaque");

      // And the backend says nothing that would let this origin in.
      const answers = [
        await request(infoUrl, { headers: { Origin: origin } }),
        await preflight(infoUrl, origin),
      ];
      for (const { headers } of answers) {
        assert.equal(headers[ALLOW_ORIGIN], undefined);
      }
    } finally {
      await stranger.close();
    }
  });

  checkPage("an edited source file shows up without a reload", async (page) => {
    const source = path.join(project.dir, "frontend", "src", "App.jsx");
    const original = await readFile(source, "utf8");
    const oldText = "Every application, and where it stands.";
    const newText = "Edited while the page is open.";
    assert.ok(original.includes(oldText));

    // An edit before the page listens for changes would go unseen.
    await Promise.all([
      page.waitForEvent("console", (seen) => seen.text().includes("[vite] connected")),
      page.goto(ports.frontend_url),
    ]);
    const tagline = page.getByTestId("tagline");
    await tagline.filter({ hasText: oldText }).waitFor();

    // Neither of these would survive a reload.
    await page.evaluate(() => (window.stillTheSamePage = true));
    await page.getByTestId("add-title").fill("Half-typed");

    await writeFile(source, original.replace(oldText, newText));
    await tagline.filter({ hasText: newText }).waitFor();

    assert.equal(await page.evaluate(() => window.stillTheSamePage), true);
    assert.equal(await page.getByTestId("add-title").inputValue(), "Half-typed");
  });

  describe("through the gateway", () => {
    let named;

    before(async () => (named = await project.gateway()));
    after(() => project.stopGateway());

    checkPage("the page and its API have one origin, and none of it is told by a port", async (page) => {
      const sent = [];
      page.on("request", (request) => sent.push(new URL(request.url())));
      await page.goto(named("jobi"));
      await page.getByTestId("add-title").fill("Beekeeper");
      await page.getByTestId("add-company").fill("Meadow");
      await page.getByTestId("add-submit").click();
      await page.getByTestId("job").filter({ hasText: "Beekeeper" }).waitFor();
      const posted = sent.filter((url) => url.pathname === "/api/jobs");
      assert.ok(posted.length > 0);
      for (const { origin } of posted) assert.equal(origin, new URL(named("jobi")).origin);
    });

    checkPage("an edited source file shows up without a reload", async (page) => {
      const source = path.join(project.dir, "frontend", "src", "App.jsx");
      const original = await readFile(source, "utf8");
      const newText = "Edited behind the gateway.";
      const sockets = [];
      page.on("websocket", (socket) => sockets.push(new URL(socket.url()).host));
      await Promise.all([
        page.waitForEvent("console", (seen) => seen.text().includes("[vite] connected")),
        page.goto(named("frontend.jobi")),
      ]);
      // Vite's client falls back to the server's own port where a proxy takes no WebSocket.
      assert.deepEqual(sockets, [new URL(named("frontend.jobi")).host]);
      await page.evaluate(() => (window.stillTheSamePage = true));
      await writeFile(source, original.replace(/(data-testid="tagline"[^>]*>)[^<]*/, `$1${newText}`));
      await page.getByTestId("tagline").filter({ hasText: newText }).waitFor();
      assert.equal(await page.evaluate(() => window.stillTheSamePage), true);
    });

    checkPage("a page that comes before its services becomes the app", async (page) => {
      await project.down();
      await page.goto(named("jobi"));
      await page.getByRole("heading", { name: "jobi does not run" }).waitFor();
      await Promise.all([project.up(), page.getByTestId("add-title").waitFor()]);
    });

    // The services have been started anew since the gateway came.
    for (const name of ["jobi", "frontend.jobi"]) {
      checkPage(`pages of ${name}.localhost may call the backend directly`, async (page) => {
        const infoUrl = new URL("/api/info", ports.backend_url).href;
        await page.goto(named(name));
        const { ok, type, body } = await fetchInPage(page, infoUrl);
        assert.deepEqual({ ok, type }, { ok: true, type: "cors" });
        assert.equal(body.port, ports.backend_port);
        await page.locator('[data-testid="direct-call"][data-state="success"]').waitFor();
      });
    }
  });

  check("portway down leaves no port open", async () => {
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
