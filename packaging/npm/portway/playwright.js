// For `playwright.config.ts`: the server of this checkout, and of no other one.
'use strict'

const { join, resolve } = require('node:path')
const { lookUp } = require('./lib/binary.js')
const { callerDirectory } = require('./lib/caller.js')
const { readPortsFile } = require('./lib/checkout.js')
const { PortwayError } = require('./lib/error.js')
const { findOwner, refusal } = require('./lib/owner.js')

// Portway stops services gently within this time.
const STOP_TIMEOUT_MS = 15_000

/**
 * The URL of a service of this checkout, for `use.baseURL`.
 *
 * @param {string} [service] the name of the service; by default the main service
 * @param {{ directory?: string }} [options] a directory of the checkout; by default that of the configuration
 * @returns {string}
 * @throws {PortwayError} if another checkout's server listens there
 */
function baseURL(service, options = {}) {
  const directory = resolve(options.directory ?? callerDirectory())
  const { url, port } = lookUp(service, directory)
  verify(findOwner(port, directory, service), port, url, directory)
  return url
}

/**
 * The server that Playwright starts, for `webServer`. A server that runs is used only if Portway proves that
 * it belongs to this checkout.
 *
 * @param {string | object} [server] the name of a service, or Playwright's own options with `url` or `port`
 *   and `command`; by default the main service
 * @param {object} [options] further options of Playwright, and `directory`: a directory of the checkout, by
 *   default that of the configuration
 * @returns {object}
 * @throws {PortwayError} if another checkout's server listens there
 */
function webServer(server, options = {}) {
  const isService = server === undefined || typeof server === 'string'
  const { directory: given = callerDirectory(), ...own } = isService ? options : server
  // Playwright would take a relative path from the directory of the configuration.
  const directory = resolve(given)
  const service = isService ? server : undefined
  const { url, port, defaults } = isService ? ofService(service, directory) : ofOptions(own, directory)
  const found = findOwner(port, directory, service)
  verify(found, port, url ?? `http://localhost:${port}`, directory)
  const reuseExistingServer = found.verdict === 'own' && own.reuseExistingServer !== false
  return { ...defaults, ...own, reuseExistingServer }
}

function ofService(service, directory) {
  const { url, port } = lookUp(service, directory)
  const words = [process.execPath, join(__dirname, 'lib/serve.js'), directory, ...(service ? [service] : [])]
  const defaults = {
    url: healthUrl(service, directory) ?? url,
    command: words.map(quote).join(' '),
    cwd: directory,
    gracefulShutdown: { signal: 'SIGTERM', timeout: STOP_TIMEOUT_MS },
  }
  return { url, port, defaults }
}

function ofOptions({ url, port }, directory) {
  const given = url === undefined ? Number(port) : portOf(url)
  if (given > 0 && given < 65536) return { url, port: given, defaults: { cwd: directory } }
  throw new PortwayError('usage', '`webServer` got neither a service nor a valid `url` or `port`', [
    "name a service, as in `webServer('web')`, or give `{ command, url }`",
  ])
}

function portOf(url) {
  const { protocol, port } = URL.canParse?.(url) === false ? {} : new URL(url)
  return Number(port || { 'http:': 80, 'https:': 443 }[protocol])
}

// A backend may have no page at `/`.
function healthUrl(service, directory) {
  return service && readPortsFile(directory)?.values[`${service.replace(/[-.]/g, '_')}_health_url`]
}

function verify(found, port, url, directory) {
  if (found.verdict === 'none' || found.verdict === 'own') return
  // Playwright loads the configuration again in its workers. Its main process has found out that the port
  // was free, and has started the server.
  if (found.verdict === 'unknown' && process.env.TEST_WORKER_INDEX !== undefined) return
  throw refusal(port, directory, found, url)
}

function quote(word) {
  return process.platform === 'win32' ? `"${word}"` : `'${word.replaceAll("'", "'\\''")}'`
}

module.exports = { baseURL, webServer }
