// Opens a page in Chromium and prints, as JSON, what it requested: `cargo xtask corpus` runs it.
//
// Usage: node open-page.js URL. Only names of the local machine are resolved. The temporary
// directory is TMPDIR.

import { mkdtemp, realpath, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

import { openBrowser } from "./browser.js";

// A development server compiles a page when it is requested first.
const LOAD_TIMEOUT = 120_000;
// How long a page may go on requesting after it has loaded, for example to poll.
const QUIET_TIMEOUT = 15_000;

const [url] = process.argv.slice(2);
const temporary = await realpath(await mkdtemp(path.join(os.tmpdir(), "page-")));
const result = { status: null, error: null, text: 0, requests: [] };
const context = await openBrowser({ temporary, env: process.env });
try {
  const page = await context.newPage();
  const seen = new Map();
  context.on("request", (request) => {
    const entry = { url: request.url(), kind: request.resourceType(), status: null, failure: null };
    seen.set(request, entry);
    result.requests.push(entry);
  });
  context.on("response", (response) => {
    const entry = seen.get(response.request());
    if (entry) entry.status = response.status();
  });
  context.on("requestfailed", (request) => {
    const entry = seen.get(request);
    if (entry) entry.failure = request.failure()?.errorText ?? "failed";
  });
  page.on("websocket", (socket) => {
    const entry = { url: socket.url(), kind: "websocket", status: null, failure: null };
    result.requests.push(entry);
    socket.on("socketerror", (error) => {
      entry.failure = String(error);
    });
  });
  try {
    const response = await page.goto(url, { waitUntil: "load", timeout: LOAD_TIMEOUT });
    result.status = response?.status() ?? null;
    await page.waitForLoadState("networkidle", { timeout: QUIET_TIMEOUT }).catch(() => {});
    result.text = (await page.locator("body").innerText().catch(() => "")).trim().length;
  } catch (error) {
    result.error = String(error.message).split("\n")[0];
  }
} finally {
  await context.close();
  await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
}
process.stdout.write(`${JSON.stringify(result)}\n`);
