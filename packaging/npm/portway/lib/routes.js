// Paths of a page that are routed to other services, and the names under which the page is opened.
'use strict'

const portway = require('../index.js')
const { PortwayError } = require('./error.js')

/**
 * The routes as a list, with the URLs of their services.
 *
 * @param {Record<string, string | { service: string, strip?: boolean }>} routes as `[routes]` in `portway.toml`
 * @returns {{ path: string, target: string, strip: boolean }[]}
 */
function resolveRoutes(routes, directory) {
  return Object.entries(routes).map(([path, value]) => {
    const { service, strip = false } = typeof value === 'string' ? { service: value } : value
    if (!/^(\/[\w.~-]+)+$/.test(path)) {
      throw new PortwayError('usage', `\`${path}\` is not the path of a route`, ['write it like `/api`'])
    }
    return { path, strip, target: portway.url(service, { directory }).replace(/\/$/, '') }
  })
}

/**
 * The host names of the gateway and of the local network under which this checkout's pages are opened. Vite
 * and Next accept `localhost` and the names below it by themselves.
 */
function hostNames() {
  const origins = (process.env.PORTWAY_ID && process.env.CORS_ORIGINS) || ''
  const names = origins.split(',').flatMap((origin) => {
    try {
      return [new URL(origin).hostname]
    } catch {
      return []
    }
  })
  return [...new Set(names)].filter((name) => !/^(localhost|[\d.]+|\[.*\])$/.test(name))
}

module.exports = { hostNames, resolveRoutes }
