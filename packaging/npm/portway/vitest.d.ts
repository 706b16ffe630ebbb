/** The addresses of the services, by the names of `.ports.json`, in which a hyphen is an underscore. */
export type Services = Record<string, { port: number; url: string }>

declare module 'vitest' {
  interface ProvidedContext {
    portway: Services
  }
}

interface Project {
  config: { root: string }
  provide(key: 'portway', value: Services): void
}

/**
 * Provides the addresses of all services of this checkout as `portway`, after a check that no other checkout
 * listens on one of their ports. Write `globalSetup: ['portway/vitest']`.
 *
 * @throws {PortwayError} if another checkout's server listens there
 */
declare function setup(project: Project): void
export default setup

/**
 * A `globalSetup` that needs some services: it checks that they run, or starts them with
 * `portway up --detach`. Write `export default needs({ services: ['api'] })` in a file of your own.
 */
export function needs(options: { services: string[]; start?: boolean }): (project: Project) => void
