// The extension for VS Code: its logic with the real binary, its types, and its package. VS Code itself is not run.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { BINARY, ROOT, Sandbox, until } from './support/sandbox.js'

const EXTENSION = join(ROOT, 'integrations/vscode')
const require = createRequire(import.meta.url)
const { PortwayError, candidates, find, printable } = require(join(EXTENSION, 'lib/binary.js'))
const { parseEvent, stateDirectory } = require(join(EXTENSION, 'lib/events.js'))
const { project, projectItem, serviceItem, statusBar, webUrl, who } = require(join(EXTENSION, 'lib/model.js'))
const { Workspace } = require(join(EXTENSION, 'lib/workspace.js'))
const manifest = JSON.parse(readFileSync(join(EXTENSION, 'package.json'), 'utf8'))

const SERVER = 'python3 -m http.server {port} --bind 127.0.0.1'
const MANIFEST = `
[services.web]
command = "${SERVER}"
port = "23500-23549"

[services.api]
command = "${SERVER}"
port = "23550-23599"
`

let sandbox
before(() => (sandbox = new Sandbox()))
after(() => sandbox.remove())

function workspace(folders, { path = BINARY, onUpdate = () => {} } = {}) {
  return new Workspace({ folders: () => folders, path: () => path, onUpdate, env: sandbox.env })
}

const states = ({ services }) => services.map(({ name, state }) => `${name} ${state}`).join(', ')

test('starts and stops services, and follows what others change', async () => {
  sandbox.write('portway.toml', MANIFEST)
  const empty = join(sandbox.root, 'empty')
  mkdirSync(empty)
  let updates = 0
  // Two folders of one checkout are one project, also through a link; a folder without services is none.
  const link = join(sandbox.root, 'link')
  symlinkSync(sandbox.project, link)
  const own = workspace([sandbox.project, link, empty], { onUpdate: () => updates++ })
  try {
    await own.refresh()
    assert.equal(own.state, 'ready')
    assert.deepEqual(own.projects.map(states), ['web stopped, api stopped'])
    const [{ directory }] = own.projects
    await own.change('up', directory, 'web')
    assert.equal(states(own.projects[0]), 'web ready, api stopped')
    const [{ port }] = own.projects[0].services[0].ports
    const lines = who(await own.who(port))
    assert.match(lines[0], new RegExp(`^Port ${port} is used by web of project in ${directory} \\(`))
    // Somebody else starts the other service, then stops everything: no call reads the state again.
    updates = 0
    await sandbox.portway(['up', '--detach'])
    await until(() => states(own.projects[0]) === 'web ready, api ready', 'the view shows the start')
    await sandbox.portway(['down'])
    await until(() => states(own.projects[0]) === 'web stopped, api stopped', 'the view shows the stop')
    await sandbox.portway(['up', '--detach', 'api'])
    await until(() => states(own.projects[0]) === 'web stopped, api ready', 'the view shows the new instance')
    assert.ok(updates > 0)
    await own.change('restart', directory, 'api')
    await own.change('down', directory)
    assert.equal(states(own.projects[0]), 'web stopped, api stopped')
  } finally {
    own.dispose()
  }
})

test('errors: no binary, no service, a broken manifest', async () => {
  sandbox.write('portway.toml', MANIFEST)
  const missing = workspace([sandbox.project], { path: '/nonexistent/portway' })
  await missing.refresh()
  assert.equal(missing.state, 'missing')
  await assert.rejects(missing.change('up', sandbox.project), { code: 'binary_missing' })
  await assert.rejects(missing.findBinary(), { code: 'binary_missing' })
  missing.dispose()
  const own = workspace([sandbox.project])
  assert.equal(await own.findBinary(), BINARY)
  // A name is never an option.
  await assert.rejects(own.change('up', sandbox.project, '--help'), (error) => error instanceof PortwayError)
  sandbox.write('portway.toml', '[services.web]\ncomand = "x"')
  await own.refresh()
  assert.match(own.projects[0].error, /unknown key `comand`/)
  assert.equal(projectItem(own.projects[0]).description, 'error')
  own.dispose()
  // A failure that no folder is the reason for.
  const registry = sandbox.write('portway/registry.db', 'no database', join(sandbox.root, 'broken'))
  const broken = new Workspace({
    folders: () => [sandbox.project],
    path: () => BINARY,
    onUpdate: () => {},
    env: { ...sandbox.env, XDG_STATE_HOME: join(sandbox.root, 'broken') },
  })
  await broken.refresh()
  assert.equal(broken.state, 'ready')
  assert.ok(broken.projects[0].error?.includes(registry), broken.projects[0].error)
  broken.dispose()
  const none = workspace([])
  await none.refresh()
  assert.equal(none.state, 'empty')
  none.dispose()
})

test('which binary runs', async () => {
  const folders = ['/a', '/b']
  assert.deepEqual(candidates({ path: '/x', folders }), ['/x'])
  assert.deepEqual(candidates({ folders, windows: false }), ['portway', '/a/node_modules/.bin/portway', '/b/node_modules/.bin/portway'])
  assert.deepEqual(candidates({ folders, windows: true }), ['portway'])
  assert.equal(await find(['/nonexistent', BINARY], sandbox.env), BINARY)
})

test('what the view shows', () => {
  const plan = { directory: '/p', project: 'shop', services: [{ name: 'web' }, { name: 'redis', optional: true }] }
  const web = { name: 'web', state: 'ready', url: 'http://localhost:1', ports: [{ port: 1 }] }
  const instance = { id: 'i', name: 'fix.shop', branch: 'fix', directory: '/p', state: 'ready', services: [web] }
  const one = project('/p/sub', plan, undefined, [instance])
  assert.equal(states(one), 'web ready, redis stopped')
  assert.deepEqual(projectItem(one).description, 'fix · 1 of 2 running')
  assert.equal(serviceItem(one.services[0]).context, 'service logs stop restart open')
  assert.equal(serviceItem(one.services[1]).description, 'stopped · optional')
  assert.equal(serviceItem(one.services[1]).context, 'service logs start')
  // Without a plan, an instance of the folder or above it counts; one with a similar name does not.
  assert.equal(project('/p/sub', undefined, 'broken', [instance]).id, 'i')
  assert.equal(project('/pp', undefined, 'broken', [instance]).id, undefined)
  assert.equal(statusBar([one]).text, '$(plug) 1/2')
  assert.equal(statusBar([{ ...one, services: [{ ...web, state: 'failed' }] }]).text, '$(warning) 0/1')
  assert.equal(statusBar([]), undefined)
  assert.equal(webUrl({ url: 'redis://localhost:1' }), undefined)
  assert.equal(webUrl({ url: 'javascript:alert(1)' }), undefined)
})

test('who uses a port', () => {
  const free = { port: 9, state: 'free', holders: [] }
  assert.deepEqual(who(free), ['Port 9 is free.'])
  const lease = { id: 'i', service: 'web', instance: 'shop', directory: '/p' }
  assert.deepEqual(who({ ...free, lease }), ['Port 9 is free.', 'It is leased to web of shop in /p.'])
  const holder = { user: 'ada', process: { pid: 4, name: 'node', command: 'node\u001b[2J x', directory: '/q' } }
  assert.deepEqual(who({ ...free, state: 'listening', holders: [holder] }), ['Port 9 is used by node\ufffd[2J, pid 4 of ada in /q.'])
  assert.equal(printable('a\u202eb\n'), 'a\ufffdb\n')
})

test('where the state is, and what an event is', () => {
  assert.equal(stateDirectory({ XDG_STATE_HOME: '/s', HOME: '/h' }, false), '/s/portway')
  assert.equal(stateDirectory({ XDG_STATE_HOME: 'relative', HOME: '/h' }, false), '/h/.local/state/portway')
  assert.equal(stateDirectory({}, false), undefined)
  assert.deepEqual(parseEvent('event: x\ndata: {"a":\ndata: 1}'), { a: 1 })
  assert.equal(parseEvent(': a comment'), undefined)
  assert.equal(parseEvent('data: {'), undefined)
})

test('the manifest of the extension', () => {
  const { commands, menus, viewsWelcome } = manifest.contributes
  const source = readFileSync(join(EXTENSION, 'extension.js'), 'utf8')
  const declared = commands.map(({ command }) => command)
  const registered = [...source.matchAll(/^ {4}\['(\w+)', /gm)].map(([, name]) => `portway.${name}`)
  assert.deepEqual(registered.sort(), [...declared].sort())
  for (const { command } of Object.values(menus).flat()) assert.ok(declared.includes(command), command)
  assert.deepEqual(viewsWelcome.map(({ when }) => when), ['portway.state == empty', 'portway.state == missing'])
  assert.equal(manifest.capabilities.untrustedWorkspaces.supported, false)
  // A workspace cannot name a binary.
  assert.equal(manifest.contributes.configuration.properties['portway.path'].scope, 'machine')
  const icon = (path) => readFileSync(join(ROOT, path))
  assert.ok(icon('integrations/vscode/icon.png').equals(icon('integrations/browser-extension/icons/128.png')))
  const [, repository] = /^repository = "(.*)"$/m.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))
  assert.equal(manifest.repository.url, repository)
  // No shell, and only these files know VS Code.
  const files = readdirSync(EXTENSION, { recursive: true }).filter((name) => name.endsWith('.js'))
  for (const name of files) {
    const text = readFileSync(join(EXTENSION, name), 'utf8')
    assert.doesNotMatch(text, /\bexec\(|shell: true|sendText/)
    assert.equal(text.includes("require('vscode')"), ['extension.js', 'view.js'].includes(name), name)
  }
})

test('the types fit', async () => {
  const modules = join(import.meta.dirname, 'node_modules')
  const options = ['--noEmit', '--allowJs', '--checkJs', '--strict', '--skipLibCheck', '--module', 'node16', '--target', 'es2023']
  const types = ['--typeRoots', join(modules, '@types'), '--types', 'node,vscode']
  await sandbox.succeeds(process.execPath, [join(modules, 'typescript/bin/tsc'), ...options, ...types, join(EXTENSION, 'extension.js')])
})

test('vsce packs the extension and nothing else', async () => {
  const copy = join(sandbox.root, 'vscode')
  cpSync(EXTENSION, copy, { recursive: true })
  copyFileSync(join(ROOT, 'LICENSE-MIT'), join(copy, 'LICENSE.txt'))
  const out = join(sandbox.root, 'portway.vsix')
  const vsce = join(import.meta.dirname, 'node_modules/@vscode/vsce/vsce')
  await sandbox.succeeds(process.execPath, [vsce, 'package', '--no-dependencies', '--out', out], { cwd: copy })
  const list = await sandbox.succeeds('python3', ['-c', 'import sys, zipfile; print("\\n".join(sorted(zipfile.ZipFile(sys.argv[1]).namelist())))', out])
  assert.deepEqual(list.trim().split('\n'), [
    '[Content_Types].xml',
    'extension.vsixmanifest',
    'extension/LICENSE.txt',
    'extension/extension.js',
    'extension/icon.png',
    ...['binary', 'events', 'model', 'workspace'].map((name) => `extension/lib/${name}.js`),
    'extension/package.json',
    'extension/readme.md',
    'extension/view.js',
  ])
})
