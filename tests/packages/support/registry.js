// A registry of npm packages that serves the files of a directory, on a port that it holds.

import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

export class Registry {
  #packages = new Map()
  // The paths that were requested.
  requests = []

  static async start(directory) {
    const registry = new Registry()
    for (const file of readdirSync(directory).filter((name) => /^portway-.*\.tgz$/.test(name))) {
      registry.#add(join(directory, file), file)
    }
    registry.server = createServer((request, response) => registry.#answer(request, response))
    await new Promise((resolve) => registry.server.listen(0, '127.0.0.1', resolve))
    registry.url = `http://127.0.0.1:${registry.server.address().port}`
    return registry
  }

  #add(path, file) {
    const read = spawnSync('tar', ['--extract', '--to-stdout', '--file', path, 'package/package.json'])
    const manifest = JSON.parse(read.stdout)
    this.#packages.set(manifest.name, { manifest, file, data: readFileSync(path) })
  }

  #answer(request, response) {
    const path = decodeURIComponent(new URL(request.url, this.url).pathname)
    this.requests.push(path)
    const send = (status, type, body) => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
      response.end(body)
    }
    for (const [name, { manifest, file, data }] of this.#packages) {
      if (path === `/${name}`) return send(200, 'application/json', this.#document(name, manifest, file, data))
      if (path === `/-/${file}`) return send(200, 'application/octet-stream', data)
    }
    send(404, 'application/json', '{"error":"not found"}')
  }

  #document(name, manifest, file, data) {
    const integrity = `sha512-${createHash('sha512').update(data).digest('base64')}`
    const shasum = createHash('sha1').update(data).digest('hex')
    const dist = { tarball: `${this.url}/-/${file}`, integrity, shasum }
    return JSON.stringify({
      name,
      'dist-tags': { latest: manifest.version },
      versions: { [manifest.version]: { ...manifest, dist } },
    })
  }

  async stop() {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
