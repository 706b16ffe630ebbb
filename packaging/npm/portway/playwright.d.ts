/** A server as Playwright describes it in `webServer`. */
export interface WebServer {
  command: string
  url?: string
  port?: number
  cwd?: string
  env?: Record<string, string>
  reuseExistingServer?: boolean
  timeout?: number
  gracefulShutdown?: { signal: 'SIGINT' | 'SIGTERM'; timeout: number }
  stdout?: 'pipe' | 'ignore'
  stderr?: 'pipe' | 'ignore'
  ignoreHTTPSErrors?: boolean
  name?: string
}

/** Where the checkout is. */
export interface CheckoutOptions {
  /** A directory of the checkout. Default: the directory of the file that calls the function. */
  directory?: string
}

/**
 * The URL of a service of this checkout, for `use.baseURL`.
 *
 * @param service the name of the service. Default: the main service
 * @throws {PortwayError} if another checkout's server listens there
 */
export function baseURL(service?: string, options?: CheckoutOptions): string

/**
 * The server that Playwright starts with `portway up`, for `webServer`. A server that runs already is used
 * only if Portway proves that it belongs to this checkout.
 *
 * @param service the name of the service. Default: the main service
 * @throws {PortwayError} if another checkout's server listens on its port
 */
export function webServer(service?: string, options?: Partial<WebServer> & CheckoutOptions): WebServer

/**
 * A server with a command and an address of your own. One that runs already is used only if Portway proves
 * that it belongs to this checkout.
 *
 * @throws {PortwayError} if another checkout's server listens there
 */
export function webServer(server: WebServer & CheckoutOptions): WebServer
