// Opens a page under several addresses in Chromium, changes its source, and expects that each shows the
// change without being loaded again. The tests with framework generators run it.
//
// Usage: node hot-reload.js FILE URL... FILE contains `before`, which is replaced by `after`. The element
// `#title` of the page shows that text, and `/api/hello` answers with `{"path": …}`. The temporary directory
// is TMPDIR.

import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

import { fetchInPage, openBrowser } from "./browser.js";

// A development server compiles a page when it is requested first.
const TIMEOUT = 120_000;

const [file, ...urls] = process.argv.slice(2);
const temporary = await realpath(await mkdtemp(path.join(os.tmpdir(), "page-")));
const context = await openBrowser({ temporary, env: process.env });
try {
  context.setDefaultTimeout(TIMEOUT);
  const pages = [];
  for (const url of urls) {
    const page = await context.newPage();
    page.messages = [];
    page.on("console", (message) => page.messages.push(message.text()));
    const connected = page.waitForEvent("websocket", (socket) => !socket.isClosed());
    await page.goto(url);
    await page.locator("#title", { hasText: "before" }).waitFor();
    await connected;
    const answer = await fetchInPage(page, "/api/hello");
    if (answer.body?.path !== "/api/hello") throw new Error(`${url}: /api/hello answers ${JSON.stringify(answer)}`);
    pages.push(page);
  }
  for (const page of pages) await page.evaluate(() => (window.isSamePage = true));
  await writeFile(file, (await readFile(file, "utf8")).replace("before", "after"));
  for (const page of pages) {
    await page.locator("#title", { hasText: "after" }).waitFor().catch((error) => {
      throw new Error(`${page.url()} does not show the change: ${error.message}\n${page.messages.join("\n")}`);
    });
    if (!(await page.evaluate(() => window.isSamePage))) throw new Error(`${page.url()} was loaded again`);
  }
} finally {
  await context.close();
  await rm(temporary, { recursive: true, force: true });
}
