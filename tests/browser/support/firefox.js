// A real Firefox, spoken with by WebDriver BiDi, with an extension in it for as long as it runs.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

// An address that Firefox gives to the extension; otherwise it makes one up.
const UUID = "5c0f9a52-90b1-4c55-9c4e-6f0a5a6c8d11";

// Everything that is not on this machine goes to a proxy that is not there.
const PREFERENCES = {
  "network.proxy.type": 1,
  "network.proxy.http": "127.0.0.1",
  "network.proxy.http_port": 1,
  "network.proxy.ssl": "127.0.0.1",
  "network.proxy.ssl_port": 1,
  "network.proxy.no_proxies_on": "localhost, .localhost, 127.0.0.1, [::1]",
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
};

const PATIENCE = 30_000;

export class Firefox {
  #process;
  #socket;
  #asked = 0;
  #waiting = new Map();

  // Starts it with a fresh profile inside the project's temporary directory.
  static async open(project) {
    const profile = path.join(project.temporary, "firefox");
    await mkdir(profile);
    const id = "browser-extension@portway.localhost";
    const all = { ...PREFERENCES, "extensions.webextensions.uuids": JSON.stringify({ [id]: UUID }) };
    const lines = Object.entries(all).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
    await writeFile(path.join(profile, "user.js"), lines.join("\n"));
    const firefox = new Firefox();
    try {
      await firefox.#start(profile, project.env);
    } catch (error) {
      await firefox.close();
      throw error;
    }
    return firefox;
  }

  async #start(profile, env) {
    // System access is what pages of extensions take.
    const remote = ["--remote-debugging-port", "0", "--remote-allow-system-access"];
    const args = ["--headless", "--no-remote", ...remote, "--profile", profile];
    this.#process = spawn(process.env.FIREFOX || "/usr/bin/firefox-esr", args, { env, stdio: ["ignore", "ignore", "pipe"] });
    const url = await this.#address();
    this.#socket = new WebSocket(`${url}/session`);
    this.#socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(data)));
    this.#socket.addEventListener("close", () => this.#giveUp(new Error("Firefox has gone")));
    await new Promise((resolve, reject) => {
      this.#socket.addEventListener("open", resolve);
      this.#socket.addEventListener("error", () => reject(new Error(`cannot reach Firefox at ${url}`)));
    });
    await this.send("session.new", { capabilities: {} });
  }

  // Where it says that it listens.
  #address() {
    return new Promise((resolve, reject) => {
      let said = "";
      const late = setTimeout(() => reject(new Error(`Firefox does not listen:\n${said}`)), PATIENCE);
      const end = (act, value) => {
        clearTimeout(late);
        act(value);
      };
      this.#process.once("error", (error) => end(reject, error));
      this.#process.once("exit", (code) => end(reject, new Error(`Firefox ended with ${code}:\n${said}`)));
      this.#process.stderr.setEncoding("utf8").on("data", (text) => {
        said += text;
        const found = /WebDriver BiDi listening on (ws:\S+)/.exec(said);
        if (found) end(resolve, found[1]);
      });
    });
  }

  #receive({ id, type, result, error, message }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (type === "error") waiting?.reject(new Error(`${error}: ${message}`));
    else waiting?.resolve(result);
  }

  #giveUp(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  send(method, params = {}) {
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  // Loads an unpacked extension, and gives back where its pages are.
  async install(directory) {
    await this.send("webExtension.install", { extensionData: { type: "path", path: directory } });
    return `moz-extension://${UUID}`;
  }

  // A new tab.
  async newPage() {
    const { context } = await this.send("browsingContext.create", { type: "tab" });
    return {
      goto: (url) => this.send("browsingContext.navigate", { context, url, wait: "complete" }),
      reload: () => this.send("browsingContext.reload", { context, wait: "complete" }),
      show: () => this.send("browsingContext.activate", { context }),
      close: () => this.send("browsingContext.close", { context }),
      // What the function gives back, run in the page; as JSON, for that stays what it is.
      evaluate: async (step, ...args) => {
        const expression = `(async () => JSON.stringify(await (${step})(...${JSON.stringify(args)})))()`;
        const { type, result, exceptionDetails } = await this.send("script.evaluate", {
          expression,
          target: { context },
          awaitPromise: true,
        });
        if (type === "exception") throw new Error(exceptionDetails.text);
        return result.value === undefined ? undefined : JSON.parse(result.value);
      },
    };
  }

  async close() {
    if (!this.#process?.pid || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(late);
  }
}
