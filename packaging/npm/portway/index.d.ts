/** Where a lookup starts. */
export interface LookupOptions {
  /** A directory of the checkout. Default: the current directory. */
  directory?: string
}

/**
 * The URL of a service, such as `http://localhost:9000`. Without a name, that of the service which this
 * process is, or else of the main service.
 *
 * Reads the environment, then `.ports.json` of this checkout, then asks Portway.
 *
 * @param service the name of the service, or `SERVICE.NAME` for a named port
 * @throws {PortwayError} if there is no such service, or Portway cannot be asked
 */
export function url(service?: string, options?: LookupOptions): string

/**
 * The port of a service. Without a name, the port that this process is to bind, or else that of the main
 * service.
 *
 * Reads the environment, then `.ports.json` of this checkout, then asks Portway.
 *
 * @param service the name of the service, or `SERVICE.NAME` for a named port
 * @throws {PortwayError} if there is no such service, or Portway cannot be asked
 */
export function port(service?: string, options?: LookupOptions): number

/**
 * The environment variables that Portway sets: the addresses of all services, or everything that one
 * service gets. Asks Portway.
 */
export function env(service?: string, options?: LookupOptions): Record<string, string>

/** A failure with what failed, where, and what to do about it. */
export class PortwayError extends Error {
  constructor(code: string, message: string, hints?: string[])
  /** Does not change between versions: one of Portway's error codes, or one of this library. */
  readonly code: string
  /** What to do about it. */
  readonly hints: string[]
}
