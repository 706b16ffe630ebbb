import path from "node:path";

import { chromium } from "playwright-core";

const LOOPBACK_ONLY = "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]";

// Starts Chromium with a new profile in the project's temporary directory. `extension` is the
// directory of an unpacked extension to load, and `hosts` the rules that resolve host names.
export async function openBrowser(project, { extension, hosts = LOOPBACK_ONLY } = {}) {
  const context = await chromium.launchPersistentContext(path.join(project.temporary, "profile"), {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    env: project.env,
    chromiumSandbox: false, // rarely available in containers
    // The tests close the browser before they remove its profile.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
    ignoreDefaultArgs: extension ? ["--disable-extensions"] : [],
    args: [
      ...(extension ? [`--disable-extensions-except=${extension}`, `--load-extension=${extension}`] : []),
      "--screen-info={1280x1024}",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--no-proxy-server",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=${hosts}`,
    ],
  });
  context.setDefaultTimeout(30_000);
  return context;
}

// Sends a request from the page, so that the browser's rules apply to it.
export function fetchInPage(page, url, options) {
  return page.evaluate(
    async ([url, options]) => {
      try {
        const response = await fetch(url, options);
        // An opaque response has no readable body.
        const body = response.type === "opaque" ? null : await response.json();
        return { ok: response.ok, type: response.type, body };
      } catch (error) {
        return { error: error.name };
      }
    },
    [url, options],
  );
}
