// The browser extension in a real Chromium: its background, its popup, its badge.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const EXTENSION = fileURLToPath(new URL("../../../integrations/browser-extension", import.meta.url));

export const readExtension = (file, encoding = "utf8") => readFile(path.join(EXTENSION, file), encoding);

const PATIENCE = 30_000;
const PAUSE = 50;

// Asks until the answer is true, and gives it back.
export async function until(what, ask) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
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

  // The background; it is woken where it sleeps.
  async worker() {
    const [worker] = this.#context.serviceWorkers();
    return worker ?? this.#context.waitForEvent("serviceworker");
  }

  async evaluate(step, argument) {
    return (await this.worker()).evaluate(step, argument);
  }

  // The number of the tab that shows exactly this URL.
  tab(url) {
    return until(`a tab shows ${url}`, () =>
      this.evaluate(async (wanted) => (await chrome.tabs.query({})).find((tab) => tab.url === wanted)?.id, url),
    );
  }

  // What the badge of a tab says; of all other tabs, where none is named.
  badge(tab) {
    return this.evaluate(async (id) => {
      const where = id === undefined ? {} : { tabId: id };
      return { text: await chrome.action.getBadgeText(where), title: await chrome.action.getTitle(where) };
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

  // The page in a tab has got its memory for good.
  untilSettled(tab) {
    return until("the page is settled", () =>
      this.evaluate(async (id) => (await chrome.tabs.sendMessage(id, { now: null })).isSettled, tab),
    );
  }

  // The popup, as a click on the icon opens it over the tab that is seen.
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

// Playwright knows no popups of extensions; so this one speaks with the browser itself.
class Popup {
  #session;
  #target;
  #id;
  #asked = 0;
  #waiting = new Map();

  constructor(session, target, id) {
    this.#session = session;
    this.#target = target;
    this.#id = id;
    session.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
      const { id: number, result, error } = JSON.parse(message);
      if (sessionId !== id || !this.#waiting.has(number)) return;
      const { resolve, reject } = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error) reject(new Error(error.message));
      else resolve(result);
    });
  }

  async send(method, params = {}) {
    const id = (this.#asked += 1);
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const message = JSON.stringify({ id, method, params });
    await this.#session.send("Target.sendMessageToTarget", { sessionId: this.#id, message });
    return answer;
  }

  // What the function gives back, run in the popup.
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

  // What is to be read in it, or in the element that is named; "" where that is not seen.
  text(selector = "body") {
    return this.evaluate((one) => {
      const found = document.querySelector(one);
      return found?.checkVisibility() ? found.innerText : "";
    }, selector);
  }

  async untilText(pattern, selector) {
    let last;
    try {
      return await until("the text", async () => {
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

  async picture() {
    const { data } = await this.send("Page.captureScreenshot");
    return Buffer.from(data, "base64");
  }

  theme(colours) {
    return this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: colours }] });
  }

  // It may have closed itself.
  async close() {
    const isOpen = async () => {
      const { targetInfos } = await this.#session.send("Target.getTargets");
      return targetInfos.some(({ targetId }) => targetId === this.#target);
    };
    if (await isOpen()) await this.#session.send("Target.closeTarget", { targetId: this.#target });
    await until("the popup is closed", async () => !(await isOpen()));
    await this.#session.detach();
  }
}
