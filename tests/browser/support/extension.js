// Controls the browser extension in Chromium: its background worker, popup and badge.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const EXTENSION = fileURLToPath(new URL("../../../integrations/browser-extension", import.meta.url));

export const readExtension = (file, encoding = "utf8") => readFile(path.join(EXTENSION, file), encoding);

const TIMEOUT = 30_000;
const POLL_INTERVAL = 50;

// Calls `check` until its result is truthy, and returns the result.
export async function until(what, check) {
  const deadline = Date.now() + TIMEOUT;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}

export class Extension {
  #context;

  static async in(context) {
    const extension = new Extension();
    extension.#context = context;
    const worker = await extension.worker();
    extension.origin = `chrome-extension://${new URL(worker.url()).host}`;
    return extension;
  }

  // The background worker. It is started if it does not run.
  async worker() {
    const [worker] = this.#context.serviceWorkers();
    return worker ?? this.#context.waitForEvent("serviceworker");
  }

  async evaluate(step, argument) {
    return (await this.worker()).evaluate(step, argument);
  }

  // Waits for a tab with exactly this URL and returns its id.
  tab(url) {
    return until(`a tab with ${url}`, () =>
      this.evaluate(async (wanted) => (await chrome.tabs.query({})).find((tab) => tab.url === wanted)?.id, url),
    );
  }

  // Returns the badge of a tab, or the general badge if `tab` is undefined.
  badge(tab) {
    return this.evaluate(async (id) => {
      const target = id === undefined ? {} : { tabId: id };
      return { text: await chrome.action.getBadgeText(target), title: await chrome.action.getTitle(target) };
    }, tab);
  }

  async untilBadge(tab, text, title = /./) {
    let last;
    try {
      return await until("the badge", async () => {
        last = await this.badge(tab);
        return last.text === text && title.test(last.title) && last;
      });
    } catch (error) {
      throw new Error(`${error.message} ${text} ${title}, but ${JSON.stringify(last)}`);
    }
  }

  // Waits until the page in a tab no longer changes what it remembers.
  untilSettled(tab) {
    return until("the page to settle", () =>
      this.evaluate(async (id) => (await chrome.tabs.sendMessage(id, { current: null })).isSettled, tab),
    );
  }

  // Opens the popup for the active tab, like a click on the toolbar icon.
  async popup() {
    const session = await this.#context.browser().newBrowserCDPSession();
    const url = `${this.origin}/popup.html`;
    await this.evaluate(() => chrome.action.openPopup());
    const { targetId } = await until("the popup", async () => {
      const { targetInfos } = await session.send("Target.getTargets");
      return targetInfos.find((target) => target.url === url);
    });
    const { sessionId } = await session.send("Target.attachToTarget", { targetId, flatten: false });
    return new Popup(session, targetId, sessionId);
  }
}

// Controls the popup by the DevTools protocol. Playwright does not support popups of extensions.
class Popup {
  #session;
  #target;
  #id;
  #lastId = 0;
  #pending = new Map();

  constructor(session, target, id) {
    this.#session = session;
    this.#target = target;
    this.#id = id;
    session.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
      const { id: number, result, error } = JSON.parse(message);
      if (sessionId !== id || !this.#pending.has(number)) return;
      const { resolve, reject } = this.#pending.get(number);
      this.#pending.delete(number);
      if (error) reject(new Error(error.message));
      else resolve(result);
    });
  }

  async send(method, params = {}) {
    const id = (this.#lastId += 1);
    const response = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    const message = JSON.stringify({ id, method, params });
    await this.#session.send("Target.sendMessageToTarget", { sessionId: this.#id, message });
    return response;
  }

  // Runs a function in the popup and returns its result.
  async evaluate(step, ...args) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression: `(${step})(...${JSON.stringify(args)})`,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Returns the visible text of an element, or "" if the element is hidden.
  text(selector = "body") {
    return this.evaluate((selector) => {
      const node = document.querySelector(selector);
      return node?.checkVisibility() ? node.innerText : "";
    }, selector);
  }

  async untilText(pattern, selector) {
    let last;
    try {
      return await until("text", async () => {
        last = await this.text(selector);
        return pattern.test(last) && last;
      });
    } catch (error) {
      throw new Error(`${error.message} ${pattern}, but: ${last}`);
    }
  }

  async press(key) {
    for (const type of ["rawKeyDown", "char", "keyUp"]) {
      const text = type === "char" && key === "Enter" ? { text: "\r" } : {};
      if (type === "char" && !text.text) continue;
      const windowsVirtualKeyCode = { Tab: 9, Enter: 13 }[key];
      await this.send("Input.dispatchKeyEvent", { type, key, code: key, windowsVirtualKeyCode, ...text });
    }
  }

  async screenshot() {
    const { data } = await this.send("Page.captureScreenshot");
    return Buffer.from(data, "base64");
  }

  setTheme(theme) {
    return this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
  }

  // Closes the popup, unless it has closed already.
  async close() {
    const isOpen = async () => {
      const { targetInfos } = await this.#session.send("Target.getTargets");
      return targetInfos.some(({ targetId }) => targetId === this.#target);
    };
    if (await isOpen()) await this.#session.send("Target.closeTarget", { targetId: this.#target });
    await until("the popup to close", async () => !(await isOpen()));
    await this.#session.detach();
  }
}
