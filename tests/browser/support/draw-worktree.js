// Generates the picture of a hard-coded page in a worktree, by port and by name, for the
// documentation.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { openBrowser } from "./browser.js";
import { Project } from "./project.js";

const GUESTBOOK = fileURLToPath(new URL("../fixtures/guestbook", import.meta.url));
const PICTURE = fileURLToPath(new URL("../../../docs/src/images/worktree.png", import.meta.url));

// Takes a picture of the page at `url` once it shows the instance that answers.
async function picture(browser, url, instance) {
  const page = await browser.newPage();
  await page.setViewportSize({ width: 420, height: 180 });
  await page.goto(url);
  await page.locator("#greeting:not(:empty)").waitFor();
  await page.locator("#socket", { hasText: instance }).waitFor();
  const image = await page.screenshot();
  await page.close();
  return `data:image/png;base64,${image.toString("base64")}`;
}

const card = ({ title, url, image, caption, color }) => `
  <figure>
    <figcaption>${title}</figcaption>
    <div class="window"><div class="address">${url}</div><img src="${image}"></div>
    <p style="color: ${color}">${caption}</p>
  </figure>`;

const style = `
  body { margin: 0; padding: 24px; width: 928px; display: flex; gap: 32px; background: #fff;
         font: 15px/1.4 system-ui, sans-serif; color: #1f2328 }
  figure { margin: 0; flex: 1 }
  figcaption { font-weight: 600; margin-bottom: 8px }
  .window { border: 1px solid #d0d7de; border-radius: 8px; overflow: hidden }
  .address { padding: 6px 12px; background: #f6f8fa; border-bottom: 1px solid #d0d7de;
             font: 13px ui-monospace, monospace }
  img { display: block; width: 420px }
  p { margin: 8px 0 0 }`;

const project = await Project.create(GUESTBOOK);
let browser;
try {
  const worktree = await project.addWorktree("fix");
  const urlOf = await project.startGateway(21899);
  await project.up();
  const ports = await worktree.up();
  browser = await openBrowser(project);
  const byPort = `http://localhost:${ports.web_port}/`;
  const byName = urlOf("fix.guestbook");
  const cards = [
    {
      title: "Before: the worktree `fix`, opened by its port",
      url: byPort,
      image: await picture(browser, byPort, /^guestbook$/),
      caption: "The page calls port 21850: the main checkout answers, or its CORS rules refuse.",
      color: "#cf222e",
    },
    {
      title: "After: the same page, opened by its name",
      url: byName,
      image: await picture(browser, byName, /^fix\.guestbook$/),
      caption: "The gateway rewrites the address, so the worktree answers.",
      color: "#1a7f37",
    },
  ];
  const page = await browser.newPage();
  await page.setViewportSize({ width: 976, height: 320 });
  await page.setContent(`<style>${style}</style>${cards.map(card).join("")}`);
  await writeFile(PICTURE, await page.locator("body").screenshot());
} finally {
  await browser?.close();
  await project.dispose();
}
