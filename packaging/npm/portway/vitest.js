// For `globalSetup` of Vitest: the addresses of this checkout's services, for `inject('portway')`.
'use strict'

const { ask } = require('./lib/binary.js')
const { readPortsFile } = require('./lib/checkout.js')
const { PortwayError } = require('./lib/error.js')
const { findOwner, refusal } = require('./lib/owner.js')

/**
 * Provides the addresses of all services of this checkout as `portway`, after a check that no other checkout
 * listens on one of their ports.
 *
 * @param {{ provide: (key: string, value: unknown) => void, config?: { root?: string } }} project
 * @throws {PortwayError} if another checkout's server listens there
 */
function setup(project) {
  provide(project, [])
}

/**
 * A `globalSetup` that needs some services: it checks that they run, or starts them with `portway up --detach`.
 *
 * @param {{ services: string[], start?: boolean }} options
 */
function needs({ services, start = false }) {
  return (project) => {
    if (start) ask(['up', '--detach', ...services], rootOf(project))
    provide(project, services)
  }
}

function provide(project, needed) {
  const directory = rootOf(project)
  // Portway writes the file, or finds it as it is.
  ask(['port'], directory)
  const services = servicesOf(readPortsFile(directory)?.values ?? {})
  for (const name of needed) {
    if (!services[name]) {
      throw new PortwayError('unknown_service', `there is no service \`${name}\` with a port in ${directory}`, [
        `use one of ${Object.keys(services).join(', ')}`,
      ])
    }
  }
  for (const [name, { port, url }] of Object.entries(services)) {
    const found = findOwner(port, directory)
    if (found.verdict === 'other' || found.verdict === 'unknown') throw refusal(port, directory, found, url)
    if (found.verdict === 'none' && needed.includes(name)) {
      throw new PortwayError('not_running', `\`${name}\` does not listen at ${url}`, [
        `start the services of ${directory}: run \`portway up --detach\``,
      ])
    }
  }
  project.provide('portway', services)
}

function rootOf(project) {
  return project.config?.root ?? process.cwd()
}

// By the names of `.ports.json`, in which a hyphen is an underscore.
function servicesOf(values) {
  const found = {}
  for (const [key, port] of Object.entries(values)) {
    const name = key.match(/^(.+)_port$/)?.[1]
    const url = values[`${name}_url`]
    if (name && Number.isInteger(port) && typeof url === 'string') found[name] = { port, url }
  }
  return found
}

// Vitest calls the default export.
module.exports = setup
module.exports.needs = needs
