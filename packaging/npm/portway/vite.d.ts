import type { Routes } from './next'

/** The settings of the plugin. */
export interface ViteOptions {
  /** Which service Vite is, if Portway does not start it. Its port is then used as well. */
  service?: string
  /** Paths that are routed to other services, written as `[routes]` in `portway.toml`. */
  routes?: Routes
}

/** A plugin for Vite. */
export interface VitePlugin {
  name: 'portway'
  apply: 'serve'
  config(config: any, env: any): any
  configResolved(config: any): void
}

/**
 * A plugin that gives Vite's servers the port of this checkout, which they do not leave, a proxy to its
 * other services, and the names of the gateway as allowed hosts. It does nothing in `vite build`.
 */
export function portway(options?: ViteOptions): VitePlugin
