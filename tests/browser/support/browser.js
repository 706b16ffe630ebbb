import path from "node:path";

import { chromium } from "playwright-core";

const LOOPBACK_ONLY = "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]";

// A real Chromium with a fresh profile inside the project's temporary directory. It has the unpacked
// extension of the directory `extension`, where one is named, and finds hosts by the rules `hosts`.
export async function openBrowser(project, { extension, hosts = LOOPBACK_ONLY } = {}) {
  const context = await chromium.launchPersistentContext(path.join(project.temporary, "profile"), {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    env: project.env,
    chromiumSandbox: false, // containers rarely allow it
    // The tests close the browser themselves, before they remove its profile.
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

// Fetches from inside the page, so that the browser's own rules apply.
export function fetchInPage(page, url, options) {
  return page.evaluate(
    async ([url, options]) => {
      try {
        const response = await fetch(url, options);
        // An opaque answer has no body to read.
        const body = response.type === "opaque" ? null : await response.json();
        return { ok: response.ok, type: response.type, body };
      } catch (error) {
        return { error: error.name };
      }
    },
    [url, options],
  );
}
