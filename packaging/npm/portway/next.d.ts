/** Paths that are routed to other services, written as `[routes]` in `portway.toml`. */
export type Routes = Record<string, string | { service: string; strip?: boolean }>

/** The settings of `withPortway`. */
export interface NextOptions {
  /** Paths that are routed to other services. */
  routes?: Routes
}

/**
 * Adds the routes and the names of this checkout to a configuration of Next. Outside the development server,
 * the configuration stays as it is.
 *
 * @param config the configuration of Next, or the function that returns it
 */
export function withPortway<Config extends object>(
  config?: Config | ((phase: string, context: any) => Config | Promise<Config>),
  options?: NextOptions,
): (phase: string, context: any) => Promise<Config>
