// Two worktrees of a small project, in which the packages are installed.

import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { PACKAGES, Sandbox, VERSION, program } from './sandbox.js'

// A page that says which checkout it is from.
const SERVER = `
const { createServer } = require('node:http')
const { basename } = require('node:path')
createServer((request, response) => {
  response.setHeader('content-type', 'text/html')
  response.end('<h1>' + basename(process.cwd()) + '</h1>')
}).listen(Number(process.env.PORT), '127.0.0.1', function () {
  console.log('port ' + this.address().port)
})
`

const MANIFEST = `
[services.web]
command = "node server.js"
port = "23100-23199"
main = true

[services.api-v2]
command = "node server.js"
port = "23200-23299"
health = "/health"
`

export class Worktrees extends Sandbox {
  static async create(files = {}) {
    const worktrees = new Worktrees()
    worktrees.write('server.js', SERVER)
    worktrees.write('portway.toml', MANIFEST)
    worktrees.write('package.json', '{ "name": "shop", "version": "1.0.0", "private": true, "type": "commonjs" }')
    worktrees.write('.gitignore', 'node_modules\n')
    for (const [name, text] of Object.entries(files)) worktrees.write(name, text)
    for (const [name, value] of [['user.name', 'Ada'], ['user.email', 'ada@example.org'], ['init.defaultBranch', 'main']]) {
      await worktrees.succeeds('git', ['config', '--global', name, value])
    }
    await worktrees.succeeds('git', ['init', '--quiet'])
    await worktrees.succeeds('git', ['add', '--all'])
    await worktrees.succeeds('git', ['commit', '--quiet', '--message', 'start'])
    worktrees.other = join(worktrees.root, 'fix')
    await worktrees.succeeds('git', ['worktree', 'add', '--quiet', '-b', 'fix', worktrees.other])
    for (const directory of [worktrees.project, worktrees.other]) await worktrees.#install(directory)
    return worktrees
  }

  // Unpacks the packages as a package manager does, and links the tools of these tests.
  async #install(directory) {
    const modules = join(directory, 'node_modules')
    for (const [name, file] of [['portway', 'portway'], ['@portway/linux-x64', 'portway-linux-x64']]) {
      const target = join(modules, name)
      mkdirSync(target, { recursive: true })
      const archive = join(PACKAGES, `${file}-${VERSION}.tgz`)
      await this.succeeds('tar', ['--extract', '--strip-components=1', '--file', archive, '--directory', target])
    }
    for (const name of ['@playwright/test', 'playwright', 'vite', 'vitest', '@types/node']) {
      const link = join(modules, name)
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(program(name), link)
    }
  }

  // Runs Portway in a checkout.
  portway(directory, ...args) {
    return this.succeeds(join(directory, 'node_modules/@portway/linux-x64/portway'), args, { cwd: directory })
  }

  async up(directory, ...args) {
    await this.portway(directory, 'up', '--detach', ...args)
    return JSON.parse(readFileSync(join(directory, '.ports.json'), 'utf8'))
  }

  async remove() {
    for (const directory of [this.project, this.other]) {
      await this.portway(directory, 'down').catch(() => {})
    }
    await super.remove()
  }
}
