// A copy of a project in a temporary directory, and the Portway
// binary to run it with. Nothing outside that directory is written, and nothing
// of it stays behind.

import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const EXAMPLE = fileURLToPath(new URL("../../../examples/jobi", import.meta.url));

// What a developer's own checkout may hold besides the source.
const NOT_COPIED = new Set([".venv", "node_modules", "data", "dist", "__pycache__", ".ports.json"]);

// What Portway hands to services. The shell that runs the tests may itself be
// inside such a service, and its values must not leak into this project.
const WIRED = /^((PORTWAY|VITE|BACKEND|FRONTEND|REDIS)_.*|PORT|HOST|CORS_ORIGINS|JOBI_DB)$/;

const MINUTE = 60_000;

export class Project {
  #binary;
  #env;
  #source;
  #others = []; // further checkouts
  #needsDown = false;
  #needsGatewayDown = false;
  #running = new Map(); // each command under way, and the promise of its end
  #disposal = null;

  // `source` is the project's directory; a copy of it is used.
  static async create(source = EXAMPLE) {
    if (!process.env.PORTWAY_BIN) {
      throw new Error("PORTWAY_BIN must name the portway binary under test");
    }
    const parent = process.env.PORTWAY_TEST_TMP || os.tmpdir();
    await mkdir(parent, { recursive: true });
    // A short name: sockets live below, and their paths may not be long.
    const temporary = await realpath(await mkdtemp(path.join(parent, "pw-")));
    const project = new Project(source, temporary, path.basename(source));
    try {
      await project.#makeHome();
      await project.#fill("main");
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

  // Another checkout of the same project in the same home. It goes when this one does.
  async another(name, branch) {
    const other = new Project(this.#source, this.temporary, name);
    other.#env = this.#env;
    this.#others.push(other);
    await other.#fill(branch);
    return other;
  }

  async #fill(branch) {
    await cp(this.#source, this.dir, {
      recursive: true,
      filter: (file) => !NOT_COPIED.has(path.basename(file)),
    });
    // A main checkout, wherever the tests themselves are checked out.
    await mkdir(path.join(this.dir, ".git"));
    await this.switchTo(branch);
  }

  // As `git switch` does it.
  async switchTo(branch) {
    const head = path.join(this.dir, ".git", "HEAD");
    await writeFile(`${head}.lock`, `ref: refs/heads/${branch}\n`);
    await rename(`${head}.lock`, head);
  }

  // Asks for ports as a person does: `NAME_port` in `.ports.json`.
  async wish(ports) {
    await writeFile(path.join(this.dir, ".ports.json"), JSON.stringify(ports));
  }

  async #makeHome() {
    const inside = (name) => path.join(this.temporary, name);
    const xdg = {
      XDG_STATE_HOME: inside("state"),
      XDG_CONFIG_HOME: inside("config"),
      XDG_RUNTIME_DIR: inside("run"),
    };
    for (const dir of Object.values(xdg)) {
      await mkdir(dir, { mode: 0o700 });
    }
    // A cache that outlives the test spares repeated runs the downloads.
    const cache = path.resolve(process.env.PORTWAY_TEST_CACHE || inside("cache"));
    this.#env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !WIRED.test(name))),
      ...xdg,
      npm_config_cache: path.join(cache, "npm"),
      PIP_CACHE_DIR: path.join(cache, "pip"),
    };
  }

  get env() {
    return { ...this.#env };
  }

  async up() {
    this.#needsDown = true;
    // Most of this is `prepare`: a virtual environment and two installs.
    await this.#portway(["up", "--detach"], 6 * MINUTE);
    return JSON.parse(await readFile(path.join(this.dir, ".ports.json"), "utf8"));
  }

  // A gateway, on a port that the system picks where none is named; the URL of a name that it serves.
  async gateway(wanted = 0) {
    this.#needsGatewayDown = true;
    const args = ["gateway", "--detach", "--port", String(wanted), "--json"];
    const { port } = JSON.parse(await this.#portway(args, MINUTE / 2));
    return (name) => `http://${name}.localhost:${port}/`;
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

  // Stops everything and removes the directory. Asked twice, it does so once.
  dispose() {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose() {
    const all = [this, ...this.#others];
    await Promise.all(all.map((one) => one.#endCommands()));
    try {
      const ending = all.filter((one) => one.#needsDown).map((one) => one.down());
      if (this.#needsGatewayDown) ending.push(this.stopGateway());
      // What fails does not keep the others from ending.
      const failed = (await Promise.allSettled(ending)).find(({ status }) => status === "rejected");
      if (failed) throw failed.reason;
    } finally {
      // A browser that has just closed may still be letting go of its files.
      const patience = { maxRetries: 20, retryDelay: 100 };
      await rm(this.temporary, { recursive: true, force: true, ...patience });
    }
  }

  async #endCommands() {
    for (const [child, ended] of this.#running) {
      child.kill("SIGTERM");
      if (!(await within(10_000, ended))) child.kill("SIGKILL");
    }
  }

  // Runs `portway -C DIR …` to its end and gives back what it printed.
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
    const ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`));
    });
    this.#running.set(child, ended);
    try {
      const result = await within(timeout, ended);
      if (!result) {
        child.kill("SIGKILL");
        throw new Error(`${name} did not end in ${timeout / 1000} s:\n${output}`);
      }
      // Whatever stays in the background must let go of the command's output,
      // or `$(portway up --detach)` would never return.
      if (!(await within(10_000, closed))) {
        throw new Error(`${name} ended, but something still holds its output open:\n${output}`);
      }
      if (result !== "code 0") {
        throw new Error(`${name} ended with ${result}:\n${output}`);
      }
      return output;
    } finally {
      this.#running.delete(child);
      child.stdout.destroy();
      child.stderr.destroy();
    }
  }
}

// What the promise resolves to, or false when that takes too long.
async function within(timeout, promise) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, timeout, false)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
