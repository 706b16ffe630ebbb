// Questions to the binary of Portway.
'use strict'

const { spawnSync } = require('node:child_process')
const { dirname, join } = require('node:path')
const platforms = require('../bin/platforms.json')
const { PortwayError } = require('./error.js')

// How long one question may take. The first one in a checkout detects its services.
const TIMEOUT_MS = 30_000

/** The path of the binary, or `portway`, which the system then looks for on `PATH`. */
function findBinary() {
  if (process.env.PORTWAY_BINARY) return process.env.PORTWAY_BINARY
  const platform = platforms.find(({ os, cpu }) => os === process.platform && cpu === process.arch)
  try {
    return join(dirname(require.resolve(`${platform.package}/package.json`)), platform.binary)
  } catch {
    return 'portway'
  }
}

/**
 * Runs `portway ARGS --json` in the directory, and returns its answer.
 *
 * @throws {PortwayError} with the code, the message and the hints of Portway
 */
function ask(args, directory) {
  const command = `portway ${args.join(' ')} --json`
  const binary = findBinary()
  const { error, stdout, status, signal } = spawnSync(binary, [...args, '--json'], {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: TIMEOUT_MS,
    windowsHide: true,
    maxBuffer: 16 * 1024 * 1024,
  })
  if (error) {
    const cause = error.code === 'ETIMEDOUT' ? `no answer within ${TIMEOUT_MS / 1000} s` : error.message
    throw new PortwayError('binary_failed', `cannot run \`${command}\` (\`${binary}\`): ${cause}`, [
      'install Portway, or set PORTWAY_BINARY to the path of its binary',
    ])
  }
  let answer
  try {
    answer = JSON.parse(stdout)
  } catch {
    throw new PortwayError('binary_failed', `\`${command}\` in ${directory} ended with ${signal ?? status}`, [
      `run \`${command}\` there to see why`,
    ])
  }
  if (answer?.error) {
    const { code, message, hints } = answer.error
    throw new PortwayError(code, `\`${command}\` in ${directory} failed: ${message}`, hints)
  }
  return answer
}

/** The arguments for a service: none for the main service. */
function serviceArguments(service) {
  if (service === undefined) return []
  if (typeof service !== 'string' || !/^\w[\w-]*(\.[\w-]+)?$/.test(service)) {
    throw new PortwayError('usage', `\`${service}\` is not the name of a service`, [
      'use a name from `portway plan`, or `SERVICE.NAME` for a named port',
    ])
  }
  return [service]
}

/**
 * The port and the URL of a service, as `{ port, url }`. Asks Portway and nothing else: the environment may
 * be that of another checkout's shell.
 */
function lookUp(service, directory) {
  return ask(['url', ...serviceArguments(service)], directory)
}

module.exports = { ask, findBinary, lookUp, serviceArguments }
