import type { CheckoutOptions } from './playwright'

/**
 * The URL of a service of this checkout, for `e2e.baseUrl`.
 *
 * @param service the name of the service. Default: the main service
 * @throws {PortwayError} if another checkout's server listens there
 */
export function baseUrl(service?: string, options?: CheckoutOptions): string

/**
 * Checks that the server of `config.baseUrl` runs and belongs to this checkout. Call it in
 * `setupNodeEvents`, and return its result, which is the same configuration.
 *
 * @param service the service that must be the one
 * @throws {PortwayError} if no server runs, or another checkout's server
 */
export function checkServer<Config extends { baseUrl?: string | null; projectRoot?: string }>(
  config: Config,
  service?: string,
): Config
