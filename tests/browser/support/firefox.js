// Controls Firefox by WebDriver BiDi, with a temporary extension.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

// The host of the extension's pages. Firefox would choose a random one.
const UUID = "5c0f9a52-90b1-4c55-9c4e-6f0a5a6c8d11";

// A proxy that does not exist blocks all traffic to other machines.
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

const START_TIMEOUT = 30_000;

export class Firefox {
  #process;
  #socket;
  #lastId = 0;
  #pending = new Map();

  // Starts Firefox with a new profile in the project's temporary directory.
  static async open(project) {
    const profile = path.join(project.temporary, "firefox");
    await mkdir(profile);
    const id = "browser-extension@portway.localhost";
    const preferences = { ...PREFERENCES, "extensions.webextensions.uuids": JSON.stringify({ [id]: UUID }) };
    const lines = Object.entries(preferences).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
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
    // Pages of extensions require system access.
    const remote = ["--remote-debugging-port", "0", "--remote-allow-system-access"];
    const args = ["--headless", "--no-remote", ...remote, "--profile", profile];
    this.#process = spawn(process.env.FIREFOX || "/usr/bin/firefox-esr", args, { env, stdio: ["ignore", "ignore", "pipe"] });
    const url = await this.#remoteAddress();
    this.#socket = new WebSocket(`${url}/session`);
    this.#socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(data)));
    this.#socket.addEventListener("close", () => this.#rejectPending(new Error("Firefox closed the connection")));
    await new Promise((resolve, reject) => {
      this.#socket.addEventListener("open", resolve);
      this.#socket.addEventListener("error", () => reject(new Error(`cannot reach Firefox at ${url}`)));
    });
    await this.send("session.new", { capabilities: {} });
  }

  // Waits until Firefox reports the address on which it listens.
  #remoteAddress() {
    return new Promise((resolve, reject) => {
      let output = "";
      const timeout = setTimeout(() => reject(new Error(`Firefox does not listen:\n${output}`)), START_TIMEOUT);
      const finish = (settle, value) => {
        clearTimeout(timeout);
        settle(value);
      };
      this.#process.once("error", (error) => finish(reject, error));
      this.#process.once("exit", (code) => finish(reject, new Error(`Firefox exited with code ${code}:\n${output}`)));
      this.#process.stderr.setEncoding("utf8").on("data", (text) => {
        output += text;
        const found = /WebDriver BiDi listening on (ws:\S+)/.exec(output);
        if (found) finish(resolve, found[1]);
      });
    });
  }

  #receive({ id, type, result, error, message }) {
    const request = this.#pending.get(id);
    this.#pending.delete(id);
    if (type === "error") request?.reject(new Error(`${error}: ${message}`));
    else request?.resolve(result);
  }

  #rejectPending(error) {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  send(method, params = {}) {
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  // Loads an unpacked extension and returns the origin of its pages.
  async install(directory) {
    await this.send("webExtension.install", { extensionData: { type: "path", path: directory } });
    return `moz-extension://${UUID}`;
  }

  // Opens a new tab.
  async newPage() {
    const { context } = await this.send("browsingContext.create", { type: "tab" });
    return {
      goto: (url) => this.send("browsingContext.navigate", { context, url, wait: "complete" }),
      reload: () => this.send("browsingContext.reload", { context, wait: "complete" }),
      show: () => this.send("browsingContext.activate", { context }),
      close: () => this.send("browsingContext.close", { context }),
      // Runs a function in the page and returns its result, transferred as JSON.
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
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const timeout = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await exited;
    clearTimeout(timeout);
  }
}
