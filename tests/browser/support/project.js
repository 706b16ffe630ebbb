// Runs Portway on a copy of a project in a temporary directory. It writes nothing
// outside that directory, and `dispose` removes it.

import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const EXAMPLE = fileURLToPath(new URL("../../../examples/jobi", import.meta.url));

// Files in a developer's checkout that are not part of the source.
const NOT_COPIED = new Set([".venv", "node_modules", "data", "dist", "__pycache__", ".ports.json"]);

// Variables that Portway sets for services. If the tests run inside a service of
// Portway, its variables must not reach this project.
const WIRED = /^((PORTWAY|VITE|BACKEND|FRONTEND|REDIS)_.*|PORT|HOST|CORS_ORIGINS|JOBI_DB)$/;

const MINUTE = 60_000;

export class Project {
  #binary;
  #env;
  #source;
  #others = []; // additional checkouts
  #needsDown = false;
  #needsGatewayDown = false;
  #running = new Map(); // running commands, each with the promise of its exit
  #disposal = null;

  // Copies the project in the directory `source`.
  static async create(source = EXAMPLE) {
    if (!process.env.PORTWAY_BIN) {
      throw new Error("PORTWAY_BIN must name the portway binary under test");
    }
    const parent = process.env.PORTWAY_TEST_TMP || os.tmpdir();
    await mkdir(parent, { recursive: true });
    // The name is short because the path of a socket is limited to about 100 bytes.
    const temporary = await realpath(await mkdtemp(path.join(parent, "pw-")));
    const project = new Project(source, temporary, path.basename(source));
    try {
      await project.#makeHome();
      await project.#copyFiles("main");
    } catch (error) {
      await project.dispose();
      throw error;
    }
    return project;
  }

  constructor(source, temporary, name) {
    this.#source = source;
    this.temporary = temporary;
    this.dir = path.join(temporary, name);
    this.#binary = path.resolve(process.env.PORTWAY_BIN);
  }

  // Adds another checkout of the same project. It is disposed together with this one.
  async addCheckout(name, branch) {
    const other = new Project(this.#source, this.temporary, name);
    other.#env = this.#env;
    this.#others.push(other);
    await other.#copyFiles(branch);
    return other;
  }

  // Adds a linked worktree, in the same way as `git worktree add`. It is disposed together with
  // this checkout.
  async addWorktree(name) {
    const other = new Project(this.#source, this.temporary, name);
    other.#env = this.#env;
    this.#others.push(other);
    const git = path.join(this.dir, ".git", "worktrees", name);
    await mkdir(git, { recursive: true });
    await writeFile(path.join(git, "HEAD"), `ref: refs/heads/${name}\n`);
    await writeFile(path.join(git, "commondir"), "../..\n");
    await other.#copySource();
    await writeFile(path.join(other.dir, ".git"), `gitdir: ${git}\n`);
    return other;
  }

  async #copyFiles(branch) {
    await this.#copySource();
    // Makes the copy a main checkout, independent of the repository around it.
    await mkdir(path.join(this.dir, ".git"));
    await this.switchTo(branch);
  }

  async #copySource() {
    await cp(this.#source, this.dir, {
      recursive: true,
      filter: (file) => !NOT_COPIED.has(path.basename(file)),
    });
  }

  // Switches the branch in the same way as `git switch`.
  async switchTo(branch) {
    const head = path.join(this.dir, ".git", "HEAD");
    await writeFile(`${head}.lock`, `ref: refs/heads/${branch}\n`);
    await rename(`${head}.lock`, head);
  }

  // Forces ports by `NAME_port` in `.ports.json`.
  async forcePorts(ports) {
    await writeFile(path.join(this.dir, ".ports.json"), JSON.stringify(ports));
  }

  async #makeHome() {
    const inside = (name) => path.join(this.temporary, name);
    // Browsers write to the home directory too: caches, and a directory for downloads.
    const home = {
      HOME: inside("home"),
      XDG_CACHE_HOME: inside("home-cache"),
      XDG_DATA_HOME: inside("data"),
      XDG_STATE_HOME: inside("state"),
      XDG_CONFIG_HOME: inside("config"),
      XDG_RUNTIME_DIR: inside("run"),
    };
    for (const dir of Object.values(home)) {
      await mkdir(dir, { mode: 0o700 });
    }
    // A persistent cache avoids downloads in repeated runs.
    const cache = path.resolve(process.env.PORTWAY_TEST_CACHE || inside("cache"));
    this.#env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !WIRED.test(name))),
      ...home,
      npm_config_cache: path.join(cache, "npm"),
      PIP_CACHE_DIR: path.join(cache, "pip"),
    };
  }

  get env() {
    return { ...this.#env };
  }

  async up() {
    this.#needsDown = true;
    // The prepare step creates a virtual environment and installs packages twice.
    await this.#portway(["up", "--detach"], 6 * MINUTE);
    return JSON.parse(await readFile(path.join(this.dir, ".ports.json"), "utf8"));
  }

  // Starts a gateway, by default on a free port. Returns a function that returns the URL of a name.
  async startGateway(requestedPort = 0) {
    this.#needsGatewayDown = true;
    const args = ["gateway", "--detach", "--port", String(requestedPort), "--json"];
    const { port } = JSON.parse(await this.#portway(args, MINUTE / 2));
    return (name) => `http://${name}.localhost:${port}/`;
  }

  // Returns what `portway up` would do.
  async plan() {
    return JSON.parse(await this.#portway(["plan", "--json"], MINUTE / 2));
  }

  // Runs a command in the network of the instance and returns its output.
  exec(command) {
    return this.#portway(["exec", "--", ...command], MINUTE / 2);
  }

  // Returns the ports once one with this name is among them. Observed ports arrive after the start.
  async portsWith(name) {
    const deadline = Date.now() + MINUTE;
    for (;;) {
      const ports = JSON.parse(await readFile(path.join(this.dir, ".ports.json"), "utf8"));
      if (name in ports) return ports;
      if (Date.now() > deadline) throw new Error(`no ${name} in ${JSON.stringify(ports)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async restart(service) {
    await this.#portway(["restart", service], MINUTE);
  }

  async stopGateway() {
    await this.#portway(["gateway", "stop"], MINUTE / 2);
    this.#needsGatewayDown = false;
  }

  async down() {
    await this.#portway(["down"], MINUTE);
    this.#needsDown = false;
  }

  async logs() {
    try {
      return await this.#portway(["logs"], MINUTE / 2);
    } catch (error) {
      return `(no logs: ${error.message})`;
    }
  }

  // Stops everything and removes the directory. Further calls return the same promise.
  dispose() {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose() {
    const all = [this, ...this.#others];
    await Promise.all(all.map((one) => one.#stopCommands()));
    try {
      const stopping = all.filter((one) => one.#needsDown).map((one) => one.down());
      if (this.#needsGatewayDown) stopping.push(this.stopGateway());
      // A failure does not prevent the others from stopping.
      const failed = (await Promise.allSettled(stopping)).find(({ status }) => status === "rejected");
      if (failed) throw failed.reason;
    } finally {
      // A browser that just closed may still write files.
      const retries = { maxRetries: 20, retryDelay: 100 };
      await rm(this.temporary, { recursive: true, force: true, ...retries });
    }
  }

  async #stopCommands() {
    for (const [child, exited] of this.#running) {
      child.kill("SIGTERM");
      if (!(await within(10_000, exited))) child.kill("SIGKILL");
    }
  }

  // Runs `portway -C DIR …` and returns its output.
  async #portway(args, timeout) {
    const name = `portway ${args.join(" ")}`;
    if (this.#disposal && !args.some((word) => ["down", "stop"].includes(word))) {
      throw new Error(`${name}: the project is being removed`);
    }
    const child = spawn(this.#binary, ["-C", this.dir, ...args], {
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    }
    const closed = new Promise((resolve) => child.once("close", () => resolve(true)));
    const exited = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`));
    });
    this.#running.set(child, exited);
    try {
      const result = await within(timeout, exited);
      if (!result) {
        child.kill("SIGKILL");
        throw new Error(`${name} did not exit within ${timeout / 1000} s:\n${output}`);
      }
      // Background processes must close the command's output. Otherwise
      // `$(portway up --detach)` would never return.
      if (!(await within(10_000, closed))) {
        throw new Error(`${name} exited, but its output is still open:\n${output}`);
      }
      if (result !== "code 0") {
        throw new Error(`${name} exited with ${result}:\n${output}`);
      }
      return output;
    } finally {
      this.#running.delete(child);
      child.stdout.destroy();
      child.stderr.destroy();
    }
  }
}

// Resolves to the value of the promise, or to false after the timeout.
async function within(timeout, promise) {
  let timer;
  const timedOut = new Promise((resolve) => (timer = setTimeout(resolve, timeout, false)));
  try {
    return await Promise.race([promise, timedOut]);
  } finally {
    clearTimeout(timer);
  }
}
