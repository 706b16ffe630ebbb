// Signals to the launcher and to `npx`: Portway and its services end, and so does what was signalled, in the
// way that a shell expects. Node 24 replaces the launcher by Portway; Node 20 keeps it as the parent.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'

import { Registry } from './support/registry.js'
import { NODES, PACKAGES, Sandbox, exitCode, npmCli, until } from './support/sandbox.js'

// How often each case runs.
const RUNS = Number(process.env.PORTWAY_SIGNAL_RUNS ?? 2)

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGKILL', 'SIGTERM']

const MANIFEST = `
[services.api]
# A service that is killed before the end of its grace period writes nothing.
command = "trap 'sleep 0.2; echo stopped >> stopped; exit 0' TERM; sleep 1000 & wait"
`

let registry
before(async () => (registry = await Registry.start(PACKAGES)))
after(() => registry.stop())

async function installed(nodeDirectory) {
  const sandbox = new Sandbox(nodeDirectory)
  sandbox.env.npm_config_registry = `${registry.url}/`
  sandbox.env.npm_config_cache = join(sandbox.root, 'cache')
  sandbox.write('package.json', '{ "name": "app", "version": "1.0.0", "private": true }')
  sandbox.write('portway.toml', MANIFEST)
  await sandbox.succeeds(sandbox.node, [npmCli(), 'install', '--ignore-scripts', 'portway'])
  return sandbox
}

const isRunning = (sandbox) => [...sandbox.processes().values()].includes('sleep 1000')

// Starts a command and waits until its service runs.
async function started(sandbox, command, args) {
  const child = sandbox.start(command, args, { detached: true })
  await until(() => {
    if (child.exitCode !== null) throw new Error(`ended: ${child.output()}`)
    return isRunning(sandbox)
  }, child.output)
  return child
}

function takeFile(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  } finally {
    rmSync(path, { force: true })
  }
}

async function ended(child) {
  await until(() => child.exitCode !== null || child.signalCode !== null, () => `runs on: ${child.output()}`)
  return child.status
}

// The terminal sends Ctrl-C to all processes of the group. `exec` and `npx` rely on that.
const toGroup = (name, use, signal) => signal === 'SIGINT' && (use === 'exec' || name === 'npx')

// The services are stopped, not killed, although the signal comes through several processes.
const isGentle = (use, signal) => use === 'up' && !['SIGKILL', 'SIGQUIT'].includes(signal)

for (const [version, directory] of Object.entries(NODES)) {
  test(version, async (t) => {
    const sandbox = await installed(directory)
    const launcher = join(sandbox.project, 'node_modules/portway/bin/portway.js')
    const commands = {
      launcher: [sandbox.node, [launcher]],
      npx: [sandbox.node, [npmCli(), 'exec', '--', 'portway']],
    }
    const uses = { up: ['up'], exec: ['exec', '--', 'sleep', '1000'] }
    try {
      for (const [name, [command, args]] of Object.entries(commands)) {
        for (const [use, words] of Object.entries(uses)) {
          for (const signal of SIGNALS) {
            await t.test(`${signal} to ${name}, ${use}`, async (t) => {
              t.after(() => sandbox.kill())
              takeFile(join(sandbox.project, 'stopped'))
              for (let run = 0; run < RUNS; run++) {
                const child = await started(sandbox, command, [...args, ...words])
                process.kill(toGroup(name, use, signal) ? -child.pid : child.pid, signal)
                const status = await ended(child)
                await sandbox.untilEmpty()
                assert.equal(exitCode(status), 128 + constants.signals[signal], child.output())
                if (isGentle(use, signal)) {
                  assert.equal(takeFile(join(sandbox.project, 'stopped')), 'stopped\n', child.output())
                }
              }
            })
          }
        }
      }
    } finally {
      await sandbox.remove()
    }
  })
}
