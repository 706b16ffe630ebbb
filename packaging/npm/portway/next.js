// For `next.config.ts`: the proxy and the names of this checkout.
'use strict'

const { hostNames, resolveRoutes } = require('./lib/routes.js')

// The value of `PHASE_DEVELOPMENT_SERVER` in `next/constants`.
const DEVELOPMENT = 'phase-development-server'

/**
 * Adds the routes and the names of this checkout to a configuration of Next. Outside the development server,
 * the configuration stays as it is.
 *
 * @param {object | Function} [config] the configuration of Next, or the function that returns it
 * @param {{ routes?: Record<string, string | { service: string, strip?: boolean }> }} [options] `routes`: paths
 *   that are routed to other services, written as `[routes]` in `portway.toml`
 * @returns {(phase: string, context: object) => Promise<object>}
 */
function withPortway(config = {}, { routes = {} } = {}) {
  return async (phase, context) => {
    const own = typeof config === 'function' ? await config(phase, context) : config
    return phase === DEVELOPMENT ? extended(own, routes) : own
  }
}

function extended(own, routes) {
  const rules = resolveRoutes(routes, process.cwd()).map(({ path, target, strip }) => ({
    source: `${path}/:path*`,
    destination: `${target}${strip ? '' : path}/:path*`,
  }))
  return {
    ...own,
    allowedDevOrigins: [...(own.allowedDevOrigins ?? []), ...hostNames()],
    async rewrites() {
      const given = (await own.rewrites?.()) ?? []
      const lists = Array.isArray(given) ? { afterFiles: given } : given
      return { fallback: [], afterFiles: [], ...lists, beforeFiles: [...rules, ...(lists.beforeFiles ?? [])] }
    },
  }
}

module.exports = { withPortway }
