// Generates the extension's PNG icons from `icons/icon.svg`.

import { writeFile } from "node:fs/promises";
import path from "node:path";

import { chromium } from "playwright-core";

import { EXTENSION, readExtension } from "./extension.js";

const SIZES = [16, 32, 48, 128];

const source = await readExtension("icons/icon.svg");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", chromiumSandbox: false });
try {
  for (const size of SIZES) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    await page.setContent(`<style>body { margin: 0 } svg { display: block }</style>${source}`);
    const image = await page.screenshot({ omitBackground: true });
    await writeFile(path.join(EXTENSION, "icons", `${size}.png`), image);
  }
} finally {
  await browser.close();
}
