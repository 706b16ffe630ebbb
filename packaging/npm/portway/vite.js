// For `vite.config.ts`: the port, the proxy and the names of this checkout.
'use strict'

const portway = require('./index.js')
const { hostNames, resolveRoutes } = require('./lib/routes.js')

/**
 * A plugin for Vite's servers. It does nothing in `vite build`.
 *
 * @param {{ service?: string, routes?: Record<string, string | { service: string, strip?: boolean }> }} [options]
 *   `service`: which service Vite is, if it is not started by Portway. `routes`: paths that are routed to other
 *   services, written as `[routes]` in `portway.toml`
 */
function vite({ service, routes = {} } = {}) {
  return {
    name: 'portway',
    apply: 'serve',
    config(config, { isPreview } = {}) {
      const part = isPreview ? 'preview' : 'server'
      return { [part]: settings(config, config[part] ?? {}, { service, routes }) }
    },
    configResolved({ server, logger }) {
      const { port, clientPort } = typeof server.hmr === 'object' ? server.hmr : {}
      if (port || clientPort) {
        logger.warn(
          'portway: `server.hmr` sets a fixed port, so hot reload works in one checkout and not behind the ' +
            'gateway; remove `port` and `clientPort`, and Vite uses the address of the page',
        )
      }
    },
  }
}

function settings({ root = process.cwd() }, own, { service, routes }) {
  const proxy = {}
  for (const { path, target, strip } of resolveRoutes(routes, root)) {
    proxy[`^${path.replaceAll('.', '\\.')}(?=[/?]|$)`] = {
      target,
      ws: true,
      ...(strip && { rewrite: (given) => given.slice(path.length).replace(/^(?!\/)/, '/') }),
    }
  }
  const names = hostNames()
  return {
    ...portOf(service, root),
    ...(Object.keys(proxy).length > 0 && { proxy }),
    ...(names.length > 0 && own.allowedHosts !== true && { allowedHosts: names }),
  }
}

// `--port` on the command line is the user's decision, or Portway's own.
function portOf(service, directory) {
  const isService = process.env.PORTWAY_SERVICE && process.env.PORT
  if (process.argv.some((word) => /^--port(=|$)/.test(word)) || !(isService || service)) return {}
  // Another port would be that of another checkout.
  return { port: portway.port(isService ? undefined : service, { directory }), strictPort: true }
}

module.exports = { portway: vite }
