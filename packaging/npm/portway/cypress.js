// For `cypress.config.js`: the server of this checkout, and of no other one.
'use strict'

const { baseURL } = require('./playwright.js')
const { callerDirectory } = require('./lib/caller.js')
const { PortwayError } = require('./lib/error.js')
const { findOwner, refusal } = require('./lib/owner.js')

/**
 * The URL of a service of this checkout, for `e2e.baseUrl`.
 *
 * @param {string} [service] the name of the service; by default the main service
 * @param {{ directory?: string }} [options] a directory of the checkout; by default that of the configuration
 * @returns {string}
 * @throws {PortwayError} if another checkout's server listens there
 */
function baseUrl(service, { directory = callerDirectory() } = {}) {
  return baseURL(service, { directory })
}

/**
 * Checks that the server of `config.baseUrl` runs and belongs to this checkout. Call it in
 * `setupNodeEvents`, and return its result.
 *
 * @template Config
 * @param {Config & { baseUrl?: string | null, projectRoot?: string }} config the configuration of Cypress
 * @param {string} [service] the service that must be the one
 * @returns {Config} the same configuration
 * @throws {PortwayError} if no server runs, or another checkout's server
 */
function checkServer(config, service) {
  const { baseUrl, projectRoot: directory = callerDirectory() } = config
  if (!baseUrl) {
    throw new PortwayError('usage', '`checkServer` got a configuration without `baseUrl`', [
      "set it: `baseUrl: baseUrl('web')`",
    ])
  }
  const { port, protocol } = new URL(baseUrl)
  const number = Number(port || (protocol === 'https:' ? 443 : 80))
  const found = findOwner(number, directory, service)
  if (found.verdict === 'none') {
    throw new PortwayError('not_running', `no server listens at ${baseUrl}`, [
      `start the services of ${directory}: run \`portway up --detach\``,
    ])
  }
  if (found.verdict !== 'own') throw refusal(number, directory, found, baseUrl)
  return config
}

module.exports = { baseUrl, checkServer }
