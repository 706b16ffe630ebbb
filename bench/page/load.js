// Measures how long Chromium takes to load a page of 1,500 modules through the gateway, with and
// without rewritten URLs, in turn and with an empty cache.
//
// usage: PORTWAY_BIN=FILE node load.js ROUNDS
//
// Prints a JSON object with the milliseconds of each round by name.

import { fileURLToPath } from "node:url";

import { openBrowser } from "../../tests/browser/support/browser.js";
import { onInterrupt } from "../../tests/browser/support/interrupt.js";
import { Project } from "../../tests/browser/support/project.js";

const PROJECT = fileURLToPath(new URL("./project", import.meta.url));
const NAMES = ["unchanged", "rewritten"];
const COUNT = "1500";

const rounds = Number(process.argv[2]);
const project = await Project.create(PROJECT);
let browser;

async function cleanUp() {
  try {
    await browser?.close();
  } finally {
    await project.dispose();
  }
}

// Loads the page in a new tab and returns the time in milliseconds.
async function load(urlOf, name) {
  const page = await browser.newPage();
  try {
    const session = await browser.newCDPSession(page);
    await session.send("Network.enable");
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    const started = performance.now();
    await page.goto(urlOf(`${name}.modules`), { waitUntil: "load" });
    await page.waitForFunction((count) => document.title === count, COUNT);
    const time = performance.now() - started;
    await verify(page, name);
    return time;
  } finally {
    await page.close();
  }
}

// Checks that the URLs of the page are those that its name promises.
async function verify(page, name) {
  const text = await page.evaluate(async () => (await fetch("/m/0.js")).text());
  const isRewritten = text.includes("//api.modules.localhost:") && !text.includes("localhost:8000");
  if (isRewritten !== (name === "rewritten")) throw new Error(`${name} is wrong: ${text.slice(0, 600)}`);
}

onInterrupt(cleanUp);
try {
  const urlOf = await project.startGateway();
  await project.up();
  browser = await openBrowser(project);
  const times = Object.fromEntries(NAMES.map((name) => [name, []]));
  // The first round fills caches and is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of round % 2 === 0 ? NAMES : NAMES.toReversed()) {
      const time = await load(urlOf, name);
      if (round > 0) times[name].push(time);
    }
  }
  console.log(JSON.stringify(times));
} finally {
  await cleanUp();
}
