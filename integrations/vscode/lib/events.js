// Reports changes of instances as they happen: the control socket of a running instance sends its status, and
// the state directory changes when an instance starts. Nothing is polled.
'use strict'

const { watch } = require('node:fs')
const { request } = require('node:http')
const { isAbsolute, join } = require('node:path')

/** The largest status that is read. */
const MAX_EVENT = 4 * 1024 * 1024

/**
 * Where Portway keeps its state; undefined if the environment does not say.
 * @param {NodeJS.ProcessEnv} env
 * @param {boolean} [windows]
 */
function stateDirectory(env, windows = process.platform === 'win32') {
  const { XDG_STATE_HOME: state, HOME: home, LOCALAPPDATA: local } = env
  if (state && isAbsolute(state)) return join(state, 'portway')
  if (windows) return local ? join(local, 'portway') : undefined
  return home && isAbsolute(home) ? join(home, '.local/state/portway') : undefined
}

class Events {
  /** @type {Map<string, { close(): void }>} */
  #watched = new Map()
  /** @type {Map<string, { destroy(): void }>} */
  #followed = new Map()

  /**
   * @param {string | undefined} directory the state directory
   * @param {{ onStatus(status: any): void, onChange(): void }} listener `onChange`: read the state again
   */
  constructor(directory, listener) {
    this.directory = directory
    this.listener = listener
  }

  /**
   * Follows these instances, and no others.
   * @param {string[]} ids
   */
  follow(ids) {
    if (!this.directory) return
    const instances = join(this.directory, 'instances')
    const directories = new Set([instances, ...ids.map((id) => join(instances, id))])
    for (const [path, watcher] of this.#watched) {
      if (!directories.has(path)) this.#close(path, watcher)
    }
    for (const path of directories) this.#watch(path)
    for (const [id, socket] of this.#followed) {
      if (!ids.includes(id)) socket.destroy()
    }
    for (const id of ids) this.#connect(id, join(instances, id, 'control.sock'))
  }

  dispose() {
    this.listener = { onStatus() {}, onChange() {} }
    for (const [path, watcher] of this.#watched) this.#close(path, watcher)
    for (const socket of this.#followed.values()) socket.destroy()
  }

  /** @param {string} path */
  #watch(path) {
    if (this.#watched.has(path)) return
    try {
      const watcher = watch(path, { persistent: false }, () => this.listener.onChange())
      this.#watched.set(path, watcher)
      // The directory was removed.
      watcher.on('error', () => this.#close(path, watcher))
    } catch {
      // It does not exist before the first start.
    }
  }

  /** @param {string} path @param {{ close(): void }} watcher */
  #close(path, watcher) {
    watcher.close()
    this.#watched.delete(path)
  }

  /** @param {string} id @param {string} socketPath */
  #connect(id, socketPath) {
    if (this.#followed.has(id) || process.platform === 'win32') return
    const sent = request({ socketPath, path: '/v1/changes', headers: { host: 'portway' } })
    this.#followed.set(id, sent)
    let wasConnected = false
    sent.on('response', (response) => {
      wasConnected = true
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (data) => {
        text += data
        const events = text.split('\n\n')
        text = events.pop() ?? ''
        if (text.length > MAX_EVENT) sent.destroy()
        // Only the latest status counts.
        const status = events.map(parseEvent).filter((event) => event?.type === 'status').at(-1)
        if (status) this.listener.onStatus(status)
      })
      response.on('error', () => {})
    })
    // A stopped instance has no socket.
    sent.on('error', () => {})
    sent.on('close', () => {
      this.#followed.delete(id)
      if (wasConnected) this.listener.onChange()
    })
    sent.end()
  }
}

/**
 * The JSON value of a server-sent event, or undefined.
 * @param {string} event
 */
function parseEvent(event) {
  const lines = event.split('\n').filter((line) => line.startsWith('data:'))
  try {
    return JSON.parse(lines.map((line) => line.slice(5)).join('\n'))
  } catch {
    return undefined
  }
}

module.exports = { Events, parseEvent, stateDirectory }
