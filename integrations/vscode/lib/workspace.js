// The projects of the folders of a workspace, kept up to date.
'use strict'

const { realpath } = require('node:fs/promises')
const { PortwayError, ask, candidates, find, run } = require('./binary.js')
const { Events, stateDirectory } = require('./events.js')
const { fromStatus, project } = require('./model.js')

/** Changes of the state directory arrive in groups. */
const SETTLE_DELAY_MS = 100

/** @typedef {import('./model.js').Project} Project */

class Workspace {
  /** @type {Project[]} */
  projects = []
  /** @type {'loading' | 'missing' | 'empty' | 'ready'} */
  state = 'loading'
  #isDisposed = false
  /** @type {Promise<void> | undefined} */
  #current
  #isRequested = false
  /** @type {NodeJS.Timeout | undefined} */
  #timer

  /**
   * @param {{ folders(): string[], path(): string, onUpdate(): void, env?: NodeJS.ProcessEnv }} options
   */
  constructor(options) {
    this.options = options
    this.env = options.env ?? process.env
    this.events = new Events(stateDirectory(this.env), {
      onStatus: (status) => this.#apply(status),
      onChange: () => this.#request(),
    })
  }

  get binaries() {
    return candidates({ path: this.options.path(), folders: this.options.folders() })
  }

  /** The binary, for a terminal. */
  findBinary() {
    return find(this.binaries, this.env)
  }

  /** Reads everything again. Calls while it reads become one more read. */
  async refresh() {
    if (this.#current) {
      this.#isRequested = true
      return this.#current
    }
    this.#current = (async () => {
      do {
        this.#isRequested = false
        await this.#read()
      } while (this.#isRequested && !this.#isDisposed)
    })()
    try {
      await this.#current
    } finally {
      this.#current = undefined
    }
  }

  /**
   * Runs `portway up`, `down` or `restart` in a project, for one service or for all.
   * @param {'up' | 'down' | 'restart'} command
   * @param {string} directory
   * @param {string} [service]
   * @param {AbortSignal} [signal]
   */
  async change(command, directory, service, signal) {
    const args = [command, ...(command === 'up' ? ['--detach'] : []), ...(service ? ['--', service] : [])]
    try {
      await run(this.binaries, directory, args, { signal, env: this.env })
    } finally {
      await this.refresh()
    }
  }

  /**
   * Which process uses a port.
   * @param {number} port
   */
  async who(port) {
    const directory = this.options.folders()[0] ?? '.'
    const [found] = await ask(this.binaries, directory, ['who', String(port)], { env: this.env })
    return found
  }

  dispose() {
    this.#isDisposed = true
    clearTimeout(this.#timer)
    this.events.dispose()
  }

  #request() {
    if (this.#isDisposed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.refresh(), SETTLE_DELAY_MS)
  }

  async #read() {
    const folders = await Promise.all(this.options.folders().map((path) => realpath(path).catch(() => path)))
    /** @type {Map<string, Project>} */
    const found = new Map()
    try {
      const instances = folders.length > 0 ? await ask(this.binaries, folders[0], ['ps'], { env: this.env }) : []
      for (const folder of folders) {
        const { plan, error } = await this.#plan(folder)
        if (!plan && !error) continue
        const one = project(folder, plan, error, instances)
        found.set(one.directory, one)
      }
      this.state = found.size > 0 ? 'ready' : 'empty'
    } catch (error) {
      if (!(error instanceof PortwayError)) throw error
      found.clear()
      this.state = error.code === 'binary_missing' ? 'missing' : 'ready'
      // For example, the registry cannot be read.
      if (this.state === 'ready') found.set(folders[0], project(folders[0], undefined, error.message, []))
    }
    if (this.#isDisposed) return
    this.projects = [...found.values()]
    this.events.follow(this.projects.flatMap(({ id }) => id ?? []))
    this.options.onUpdate()
  }

  /**
   * The plan of a folder, or why there is none; neither if the folder has no services.
   * @param {string} folder
   */
  async #plan(folder) {
    try {
      return { plan: await ask(this.binaries, folder, ['plan'], { env: this.env }) }
    } catch (error) {
      if (!(error instanceof PortwayError) || error.code === 'binary_missing') throw error
      return error.code === 'no_manifest' ? {} : { error: error.message }
    }
  }

  /** @param {any} status the status of an instance */
  #apply(status) {
    const one = this.projects.find(({ id }) => id === status.id)
    if (!one || this.#isDisposed) return
    const known = new Map(status.services.map((/** @type {any} */ service) => [service.name, fromStatus(service)]))
    const others = one.services.filter(({ name }) => !known.has(name)).map((service) => ({ ...service, state: 'stopped' }))
    one.state = status.state
    one.services = [.../** @type {any} */ (known.values()), ...others]
    this.options.onUpdate()
  }
}

module.exports = { Workspace }
