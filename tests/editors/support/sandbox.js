// A project with a home and a state of its own, and the processes that belong to it.

import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const TIMEOUT = 20_000

export const ROOT = join(import.meta.dirname, '../../..')
export const BINARY = process.env.PORTWAY_BIN

export class Sandbox {
  constructor() {
    const parent = process.env.PORTWAY_TEST_TMP ?? tmpdir()
    mkdirSync(parent, { recursive: true })
    this.root = mkdtempSync(join(parent, 'editors-'))
    for (const name of ['home', 'state', 'project']) mkdirSync(join(this.root, name))
    this.project = join(this.root, 'project')
    this.env = {
      PATH: process.env.PATH,
      HOME: join(this.root, 'home'),
      XDG_STATE_HOME: join(this.root, 'state'),
      LANG: 'C.UTF-8',
    }
    // A checkout of its own, although it is inside that of Portway.
    this.write('.git/HEAD', 'ref: refs/heads/main\n')
  }

  write(name, text, directory = this.project) {
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  }

  // Runs a command to its end, as `{ code, output }`.
  run(command, args, { env = {}, ...options } = {}) {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, {
        cwd: this.project,
        env: { ...this.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        ...options,
      })
      let [output, errors] = ['', '']
      child.stdout.on('data', (data) => (output += data))
      child.stderr.on('data', (data) => (errors += data))
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, output, errors }))
    })
  }

  async succeeds(command, args, options) {
    const result = await this.run(command, args, options)
    if (result.code !== 0) throw new Error(`${command} ${args.join(' ')} failed (${result.code})\n${result.output}${result.errors}`)
    return result.output
  }

  portway(args, options) {
    return this.run(BINARY, args, options)
  }

  // Processes with this state directory in their environment.
  processes() {
    const mark = `XDG_STATE_HOME=${this.env.XDG_STATE_HOME}`
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    return pids.map(Number).filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark)
      } catch {
        // It has exited, or belongs to another user.
        return false
      }
    })
  }

  // Stops the project and removes the sandbox. A process that is left is an error.
  async remove() {
    try {
      spawnSync(BINARY, ['-C', this.project, 'down'], { env: this.env, stdio: 'ignore' })
      await until(() => this.processes().length === 0, 'processes are left')
    } finally {
      for (const pid of this.processes()) process.kill(pid, 'SIGKILL')
      rmSync(this.root, { recursive: true, force: true })
    }
  }
}

export async function until(condition, message) {
  const deadline = Date.now() + TIMEOUT
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`timed out: ${message}`)
    await sleep(10)
  }
}
