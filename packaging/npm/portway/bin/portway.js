#!/usr/bin/env node
// Runs the binary of the package for this platform, and never leaves it behind.
'use strict'

const { spawn } = require('node:child_process')
const { readFileSync } = require('node:fs')
const { basename, dirname, join, sep } = require('node:path')
const { constants } = require('node:os')
const platforms = require('./platforms.json')
const { version } = require('../package.json')

// The descriptor under which Portway gets the pipe. See PORTWAY_LAUNCHER_FD in the function `spawnBinary`.
const PIPE = 3
// The signals that are passed on. Node reports only these two on Windows, where the console sends its
// events to Portway as well.
const SIGNALS = process.platform === 'win32' ? ['SIGINT', 'SIGHUP'] : ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

function fail(lines) {
  process.stderr.write(`error: ${lines.join('\n')}\n`)
  process.exit(1)
}

// The package manager of the user: the one that runs this file, or the one that has installed it.
function manager() {
  const agent = process.env.npm_config_user_agent?.split('/')[0]
  if (['npm', 'pnpm', 'yarn', 'bun'].includes(agent)) return agent
  if (process.versions.bun) return 'bun'
  if (process.versions.pnp || __dirname.includes(`${sep}.yarn${sep}`)) return 'yarn'
  if (__dirname.includes(`${sep}.pnpm${sep}`)) return 'pnpm'
  if (__dirname.includes(`${sep}.bun${sep}`)) return 'bun'
  return 'npm'
}

// Whether this file is in the directory of global packages: `lib/node_modules` on Unix, beside npm's own
// files on Windows.
function isGlobal() {
  const modules = dirname(dirname(__dirname))
  return basename(modules) === 'node_modules' && ['lib', 'npm'].includes(basename(dirname(modules)))
}

function installCommand(name) {
  const wanted = `${name}@${version}`
  switch (manager()) {
    case 'pnpm':
      return `pnpm add --save-optional ${wanted}`
    case 'yarn':
      return `yarn add --optional ${wanted}`
    case 'bun':
      return `bun add --optional ${wanted}`
    default:
      return isGlobal() ? `npm install --global ${wanted}` : `npm install --no-save --include=optional ${wanted}`
  }
}

function findBinary() {
  if (process.env.PORTWAY_BINARY) return process.env.PORTWAY_BINARY
  const platform = platforms.find(({ os, cpu }) => os === process.platform && cpu === process.arch)
  if (!platform) {
    const known = platforms.map(({ os, cpu }) => `${os} ${cpu}`).join(', ')
    fail([
      `Portway has no package for this platform (${process.platform} ${process.arch}); it has packages for ${known}`,
      'help: build Portway from source, and set PORTWAY_BINARY to the path of the binary',
    ])
  }
  try {
    return join(dirname(require.resolve(`${platform.package}/package.json`)), platform.binary)
  } catch {
    fail([
      `the package \`${platform.package}\` is missing, which contains Portway for this platform`,
      'Optional dependencies may be turned off, or the lockfile was made on another platform.',
      `help: run \`${installCommand(platform.package)}\``,
    ])
  }
}

// The pid of `npx`, if it runs this file: the parent, or the parent of the shell between them. Linux only.
function npxPid() {
  if (process.env.npm_command !== 'exec') return undefined
  try {
    let pid = process.ppid
    for (let step = 0; step < 2; step++) {
      // The line is `PID (NAME) STATE PARENT …`; the name can contain anything.
      const [, name, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1').match(/\((.*)\) \S (\d+)/s)
      if (/^(npm|npx|node)/.test(name)) return pid
      pid = Number(parent)
    }
  } catch {
    // It has exited, or the system has no `/proc`.
  }
  return undefined
}

// The variables of Portway. It removes those of the launcher before it starts anything. When `npx` is
// killed, it leaves behind what it has started, so Portway ends with it.
function environment(own) {
  const pid = npxPid()
  return { ...process.env, ...own, ...(pid && { PORTWAY_LAUNCHER_PID: String(pid) }) }
}

// Becomes Portway: the same process, so there is nothing to forward.
function replaceProcess(binary, args) {
  // Node warns that the function is experimental, which does not concern the user.
  process.removeAllListeners('warning')
  process.execve(binary, [binary, ...args], environment({}))
}

// Starts Portway, and ends as it ends. A closed pipe tells Portway that this process has been killed.
function spawnBinary(binary, args) {
  const isWindows = process.platform === 'win32'
  let child
  const forward = (signal) => child?.kill(signal)
  for (const signal of SIGNALS) process.on(signal, isWindows ? () => {} : forward)
  child = spawn(binary, args, {
    stdio: ['inherit', 'inherit', 'inherit', ...(isWindows ? [] : ['pipe'])],
    env: environment(isWindows ? {} : { PORTWAY_LAUNCHER_FD: String(PIPE) }),
  })
  child.on('error', (error) => cannotRun(binary, error))
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code ?? 1)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
    // The signal is ignored in this process. A shell reports a signal in the same way.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100)
  })
}

function cannotRun(binary, error) {
  fail([`cannot run \`${binary}\`: ${error.message}`, `help: run \`${installCommand('portway')}\``])
}

const binary = findBinary()
const args = process.argv.slice(2)
if (process.execve && process.platform !== 'win32' && !process.env.PORTWAY_NO_EXECVE) {
  try {
    replaceProcess(binary, args)
  } catch (error) {
    cannotRun(binary, error)
  }
} else {
  spawnBinary(binary, args)
}
