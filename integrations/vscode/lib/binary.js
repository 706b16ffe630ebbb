// Runs the binary of Portway. No command goes through a shell.
'use strict'

const { execFile } = require('node:child_process')
const { join } = require('node:path')

/** How long a command that only reads may take. */
const READ_TIMEOUT_MS = 30_000
const MAX_OUTPUT = 16 * 1024 * 1024

class PortwayError extends Error {
  /**
   * @param {string} code one of Portway's error codes, or `binary_missing` or `binary_failed`
   * @param {string} message
   * @param {string[]} [hints]
   */
  constructor(code, message, hints = []) {
    super(printable(message))
    this.name = 'PortwayError'
    this.code = code
    this.hints = hints.map(printable)
  }
}

/**
 * Replaces control characters. Names of processes and output of services can contain them.
 * @param {string} text
 */
function printable(text) {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

/**
 * The binaries to try, best first: the one that the user has set, or else that on `PATH`, then those of the
 * npm package in the folders. Without a shell, Windows cannot run the launcher of npm.
 * @param {{ path?: string, folders: string[], windows?: boolean }} options
 * @returns {string[]}
 */
function candidates({ path, folders, windows = process.platform === 'win32' }) {
  if (path) return [path]
  return ['portway', ...(windows ? [] : folders.map((folder) => join(folder, 'node_modules/.bin/portway')))]
}

/**
 * Runs `portway -C DIRECTORY ARGS`. Returns what it prints on standard output.
 * @param {string[]} binaries as `candidates` returns them
 * @param {string} directory
 * @param {string[]} args
 * @param {{ timeout?: number, signal?: AbortSignal, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<string>}
 * @throws {PortwayError} `binary_missing` if there is no binary
 */
async function run([binary, ...others], directory, args, options = {}) {
  const result = await execute(binary, ['-C', directory, ...args], options)
  if (result.missing) {
    if (others.length > 0) return run(others, directory, args, options)
    throw new PortwayError('binary_missing', `there is no \`${binary}\``)
  }
  if (result.code !== 0) throw failure(result, args)
  return result.stdout
}

/**
 * The binary that runs: the first one that is there.
 * @param {string[]} binaries
 * @param {NodeJS.ProcessEnv} [env]
 */
async function find(binaries, env) {
  for (const binary of binaries) {
    const { missing } = await execute(binary, ['--version'], { timeout: READ_TIMEOUT_MS, env })
    if (!missing) return binary
  }
  throw new PortwayError('binary_missing', `there is no \`${binaries.at(-1)}\``)
}

/**
 * Like `run`, for a command with `--json`: returns the value. The command may also report findings with an
 * exit code.
 * @param {string[]} binaries
 * @param {string} directory
 * @param {string[]} args
 * @param {{ timeout?: number, signal?: AbortSignal, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<any>}
 */
async function ask(binaries, directory, args, options = {}) {
  const text = await run(binaries, directory, [...args, '--json'], { timeout: READ_TIMEOUT_MS, ...options })
  try {
    return JSON.parse(text)
  } catch {
    throw new PortwayError('binary_failed', `\`portway ${args.join(' ')}\` printed no JSON`)
  }
}

/**
 * @param {string} binary
 * @param {string[]} args
 * @param {{ timeout?: number, signal?: AbortSignal, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<{ missing: boolean, code: number | string | null, stdout: string, stderr: string }>}
 */
function execute(binary, args, options) {
  return new Promise((resolve) => {
    const all = { encoding: /** @type {const} */ ('utf8'), windowsHide: true, maxBuffer: MAX_OUTPUT, ...options }
    execFile(binary, args, all, (error, stdout, stderr) => {
      const code = error ? (error.code ?? error.signal ?? 1) : 0
      resolve({ missing: code === 'ENOENT' || code === 'EACCES', code, stdout, stderr })
    })
  })
}

/**
 * @param {{ code: number | string | null, stdout: string, stderr: string }} result
 * @param {string[]} args
 */
function failure({ code, stdout, stderr }, args) {
  try {
    const { error } = JSON.parse(stdout)
    return new PortwayError(error.code, error.message, error.hints)
  } catch {
    const text = stderr.trim().replace(/^error: /, '')
    return new PortwayError('binary_failed', text || `\`portway ${args.join(' ')}\` ended with ${code}`)
  }
}

module.exports = { PortwayError, ask, candidates, find, printable, run }
