// The ports and URLs of the services of this checkout.
'use strict'

const { ask, lookUp, serviceArguments } = require('./lib/binary.js')
const { gitTop, instanceIds, readPortsFile } = require('./lib/checkout.js')
const { PortwayError } = require('./lib/error.js')

/**
 * The URL of a service, such as `http://localhost:9000`. Without a name, that of the service which this
 * process is, or else of the main service.
 *
 * @param {string} [service] the name of the service, or `SERVICE.NAME` for a named port
 * @param {{ directory?: string }} [options] a directory of the checkout; by default the current one
 * @returns {string}
 */
function url(service, options) {
  return find(service, options).url
}

/**
 * The port of a service. Without a name, the port that this process is to bind, or else that of the main
 * service.
 *
 * @param {string} [service] the name of the service, or `SERVICE.NAME` for a named port
 * @param {{ directory?: string }} [options] a directory of the checkout; by default the current one
 * @returns {number}
 */
function port(service, options) {
  return find(service, options).port
}

/**
 * The environment variables that Portway sets: the addresses of all services, or everything that one
 * service gets. Asks Portway.
 *
 * @param {string} [service] the name of a service
 * @param {{ directory?: string }} [options] a directory of the checkout; by default the current one
 * @returns {Record<string, string>}
 */
function env(service, { directory = process.cwd() } = {}) {
  return ask(['env', ...serviceArguments(service)], directory)
}

// Looks in the environment, then in `.ports.json`, then asks Portway.
function find(service, { directory = process.cwd() } = {}) {
  if (service === undefined && process.env.PORTWAY_SERVICE && isPort(Number(process.env.PORT))) {
    const port = Number(process.env.PORT)
    return { port, url: process.env[`${variable(process.env.PORTWAY_SERVICE)}_URL`] ?? `http://localhost:${port}` }
  }
  if (service !== undefined) {
    const known = fromEnvironment(service, directory)
    // The variables are those of this checkout, and not of a shell that came from another one.
    if (known && instanceIds(directory).includes(process.env.PORTWAY_ID)) return known
    const file = readPortsFile(directory)
    const stored = file && fromFile(service, file)
    if (stored) return known?.port === stored.port ? known : stored
    // A container, for example, in which nothing but the environment is known.
    if (known && !file && !gitTop(directory)) return known
  }
  return lookUp(service, directory)
}

function fromEnvironment(service, directory) {
  if (!process.env.PORTWAY_ID) return undefined
  const port = Number(process.env[`${variable(service)}_PORT`])
  const url = process.env[`${variable(service)}_URL`]
  return isPort(port) && url ? { port, url } : undefined
}

function fromFile(service, { path, values }) {
  const name = service.replace(/[-.]/g, '_')
  const port = values[`${name}_port`]
  const url = values[`${name}_url`]
  if (port === undefined || url === undefined) return undefined
  if (isPort(port) && typeof url === 'string') return { port, url }
  throw new PortwayError('ports_file_invalid', `\`${name}_port\` or \`${name}_url\` in \`${path}\` is invalid`, [
    'delete the file and run `portway detect`',
  ])
}

// The name of a service in its variables.
function variable(service) {
  return service.toUpperCase().replace(/[-.]/g, '_')
}

function isPort(value) {
  return Number.isInteger(value) && value > 0 && value < 65536
}

module.exports = { url, port, env, PortwayError }
