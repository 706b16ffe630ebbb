// A directory with a home of its own, and the processes that belong to it.

import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const TIMEOUT = 20_000

// The packages that `cargo xtask package` has written.
export const PACKAGES = process.env.PORTWAY_PACKAGES
export const VERSION = process.env.PORTWAY_VERSION

const modules = join(import.meta.dirname, '../node_modules')

// The two kinds of Node: one can replace its process by another program, the other cannot.
export const NODES = {
  'Node 24': join(modules, 'node-with-execve/bin'),
  'Node 20': join(modules, 'node-without-execve/bin'),
}

// The command line of a program that `npm ci` has installed here.
export function program(name) {
  return join(modules, name)
}

// The npm that runs the tests, or else the one that comes with the Node of this machine.
export function npmCli() {
  if (process.env.npm_execpath) return process.env.npm_execpath
  const found = spawnSync('npm', ['root', '--global'], { encoding: 'utf8' }).stdout.trim()
  return join(found, 'npm/bin/npm-cli.js')
}

export class Sandbox {
  constructor(nodeDirectory = NODES['Node 24']) {
    mkdirSync(process.env.PORTWAY_TEST_TMP, { recursive: true })
    this.root = mkdtempSync(join(process.env.PORTWAY_TEST_TMP, 'packages-'))
    for (const name of ['home', 'project', 'state', 'bin']) mkdirSync(join(this.root, name))
    this.project = join(this.root, 'project')
    this.node = join(nodeDirectory, 'node')
    // Only the chosen Node is called `node`.
    this.env = {
      PATH: [nodeDirectory, process.env.PATH].join(delimiter),
      HOME: join(this.root, 'home'),
      XDG_STATE_HOME: join(this.root, 'state'),
      LANG: 'C.UTF-8',
      npm_config_update_notifier: 'false',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
    }
  }

  write(name, text, mode = 0o644) {
    const path = join(this.project, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  // Runs a command to its end. Does not block this process, which may serve the packages.
  async run(command, args, options = {}) {
    const child = this.start(command, args, options)
    const status = await child.status
    return { ...status, output: child.output() }
  }

  async succeeds(command, args, options = {}) {
    const result = await this.run(command, args, options)
    if (result.code !== 0) {
      throw new Error(`${command} ${args.join(' ')} failed (${result.code ?? result.signal})\n${result.output}`)
    }
    return result.output
  }

  start(command, args, { env = {}, ...options } = {}) {
    const child = spawn(command, args, {
      cwd: this.project,
      env: { ...this.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
    child.output = () => output
    child.status = new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => resolve({ code, signal }))
    })
    return child
  }

  // The command line of each process of this sandbox, by pid.
  processes() {
    const mark = `XDG_STATE_HOME=${this.env.XDG_STATE_HOME}`
    const found = new Map()
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
        if (!variables.includes(mark)) continue
        found.set(Number(pid), readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim())
      } catch {
        // It has exited, or belongs to another user.
      }
    }
    return found
  }

  async untilEmpty() {
    await until(() => this.processes().size === 0, () => `left: ${[...this.processes().values()].join('\n')}`)
  }

  // Kills all processes of this sandbox. A test that passes has left none.
  kill() {
    for (const pid of this.processes().keys()) process.kill(pid, 'SIGKILL')
  }

  async remove() {
    try {
      await this.untilEmpty()
    } finally {
      this.kill()
      rmSync(this.root, { recursive: true, force: true })
    }
  }
}

export async function until(condition, describe) {
  const deadline = Date.now() + TIMEOUT
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`timed out: ${describe()}`)
    await sleep(10)
  }
}

// How a shell reports the end of a process.
export function exitCode({ code, signal }) {
  return code ?? 128 + constants.signals[signal]
}
