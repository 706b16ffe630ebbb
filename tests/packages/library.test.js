// The Node library: where it finds ports and URLs, and what it says if it does not.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { NODES, program } from './support/sandbox.js'
import { Worktrees } from './support/worktrees.js'

const PRINT = `
const { url, port } = require('portway')
const [name] = process.argv.slice(2)
try {
  console.log(JSON.stringify({ url: url(name), port: port(name) }))
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }))
}
`

let worktrees
before(async () => (worktrees = await Worktrees.create({ 'print.js': PRINT })))
after(() => worktrees.remove())

// What the library prints for a service.
async function lookUp({ directory = worktrees.project, args = [], env = {}, node = worktrees.node }) {
  const script = join(directory, 'print.js')
  const { output } = await worktrees.run(node, [script, ...args], { cwd: directory, env })
  return JSON.parse(output)
}

const values = (directory) => JSON.parse(readFileSync(join(directory, '.ports.json'), 'utf8'))
// No binary can be asked.
const alone = { PORTWAY_BINARY: '/nonexistent/portway' }

test('asks Portway, then reads its file', async () => {
  const asked = await lookUp({ args: ['api-v2'] })
  const { api_v2_port: port, api_v2_url: url } = values(worktrees.project)
  assert.deepEqual(asked, { url, port })
  assert.deepEqual(await lookUp({ args: ['api-v2'], env: alone }), { url, port })
  // The main service, for which the file has no key.
  assert.equal((await lookUp({})).port, values(worktrees.project).web_port)
})

test('both kinds of modules, in all versions of Node', async () => {
  const script = join(worktrees.project, 'both.mjs')
  writeFileSync(
    script,
    `import { url, port, env, PortwayError } from 'portway'
     import { createRequire } from 'node:module'
     const required = createRequire(import.meta.url)('portway')
     for (const name of ['playwright', 'cypress', 'vitest', 'vite', 'next']) await import('portway/' + name)
     console.log(url === required.url, typeof port('web'), env().WEB_URL === url('web'), env('web').PORTWAY_SERVICE)`,
  )
  for (const directory of Object.values(NODES)) {
    const output = await worktrees.succeeds(join(directory, 'node'), [script])
    assert.equal(output, 'true number true web\n')
  }
})

test('a service reads its own variables', async () => {
  await lookUp({ args: ['web'] })
  const own = JSON.parse(await worktrees.portway(worktrees.project, 'env', 'api-v2', '--json'))
  assert.deepEqual(await lookUp({ env: { ...own, ...alone } }), { url: own.API_V2_URL, port: Number(own.PORT) })
  // The file is not needed.
  rmSync(join(worktrees.project, '.ports.json'))
  const web = { url: own.WEB_URL, port: Number(own.WEB_PORT) }
  assert.deepEqual(await lookUp({ args: ['web'], env: { ...own, ...alone } }), web)
})

test('variables of another checkout are not used', async () => {
  const own = JSON.parse(await worktrees.portway(worktrees.project, 'env', '--json'))
  const other = await lookUp({ directory: worktrees.other, args: ['web'], env: own })
  assert.equal(other.port, values(worktrees.other).web_port)
  assert.notEqual(other.port, Number(own.WEB_PORT))
  // Nor is the file of the checkout around a clone.
  const nested = join(worktrees.project, 'node_modules/nested')
  mkdirSync(join(nested, '.git'), { recursive: true })
  writeFileSync(join(nested, 'print.js'), PRINT)
  assert.equal((await lookUp({ directory: nested, args: ['web'], env: { ...own, ...alone } })).code, 'binary_failed')
})

test('errors say what failed, where, and what to do', async () => {
  const unknown = await lookUp({ args: ['shop'] })
  assert.equal(unknown.code, 'unknown_service')
  assert.match(unknown.message, /^`portway url shop --json` in \S+ failed: there is no service `shop`\nhelp: use one of `web`, `api-v2`$/)
  const missing = await lookUp({ args: ['shop'], env: alone })
  assert.match(missing.message, /^cannot run `portway url shop --json` \(`\/nonexistent\/portway`\): .*\nhelp: install Portway/)
  assert.equal((await lookUp({ args: ['--help'] })).code, 'usage')
  for (const [text, cause] of [
    ['{', /cannot use `\S+\.ports\.json`: /],
    ['[]', /is not a JSON object/],
    ['{"web_port": "9000", "web_url": "http://localhost:9000"}', /`web_port` or `web_url` in `\S+` is invalid/],
    [' '.repeat(1024 * 1024 + 1), /larger than 1 MiB/],
  ]) {
    writeFileSync(join(worktrees.project, '.ports.json'), text)
    const { code, message } = await lookUp({ args: ['web'] })
    assert.equal(code, 'ports_file_invalid')
    assert.match(message, cause)
    assert.match(message, /\nhelp: delete the file and run `portway detect`$/)
  }
  rmSync(join(worktrees.project, '.ports.json'))
})

// `tests/browser/jobi.test.js` runs it.
test('the example uses no module', () => {
  const example = join(import.meta.dirname, '../../examples/jobi')
  const isOwn = /['"]portway['"/]|\b(import|from) portway\b/
  const files = readdirSync(example, { recursive: true }).filter((name) => /(?<!node_modules.*)\.(js|jsx|py|json|txt)$/.test(name))
  assert.ok(files.length > 5)
  const using = files.filter((name) => isOwn.test(readFileSync(join(example, name), 'utf8')))
  assert.deepEqual(using, [])
})

test('the types fit', async () => {
  const uses = `
import { url, port, env, PortwayError } from 'portway'
import { baseURL, webServer } from 'portway/playwright'
import { baseUrl, checkServer } from 'portway/cypress'
import { needs } from 'portway/vitest'
import { portway } from 'portway/vite'
import { withPortway } from 'portway/next'
import { defineConfig } from '@playwright/test'
import { defineConfig as vite } from 'vite'
import { inject } from 'vitest'

export const number: number = port('web') + port()
export const text: string = url('web', { directory: '.' }) + env().WEB_URL + baseUrl('web') + new PortwayError('usage', 'm').code
export default [
  defineConfig({ use: { baseURL: baseURL('web') }, webServer: [webServer('web', { timeout: 1 }), webServer({ command: 'c', port: 1 })] }),
  vite({ plugins: [portway({ service: 'web', routes: { '/api': { service: 'api-v2', strip: true } } })] }),
  withPortway({ reactStrictMode: true }, { routes: { '/api': 'api-v2' } }),
  checkServer({ baseUrl: null }, 'web'),
  needs({ services: ['web'] }),
]
export const provided: number = inject('portway').web.port
// @ts-expect-error the name of a service is a text
port(1)
`
  worktrees.write('types.mts', uses)
  worktrees.write('types.cts', uses)
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022']
  await worktrees.succeeds(worktrees.node, [program('typescript/bin/tsc'), ...options, 'types.mts', 'types.cts'])
})
