// The GitHub Action: linted, and its shell steps run as a runner runs them.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { validateAction, validateWorkflow } from '@action-validator/core'
import { parse } from 'yaml'

import { PACKAGES, Sandbox, VERSION } from './support/sandbox.js'

const ROOT = join(import.meta.dirname, '../..')
const SCRIPTS = join(ROOT, 'integrations/github-action')
const text = readFileSync(join(ROOT, 'action.yml'), 'utf8')
const action = parse(text)

const MANIFEST = `
[services.backend]
command = "python3 -m http.server {port} --bind 127.0.0.1"
port = "23300-23399"
`

// A job on a runner: its environment files, and what its steps have set.
class Job {
  constructor(sandbox) {
    this.sandbox = sandbox
    this.directory = join(sandbox.root, 'runner')
    mkdirSync(this.directory)
    this.status = 'success'
    this.path = []
    this.env = {}
    this.uploads = []
  }

  // Uses the action. Returns its outputs, what its steps printed, and the names of the steps that ran.
  async use(given) {
    const defaults = Object.entries(action.inputs).map(([name, input]) => [name, input.default])
    const inputs = { ...Object.fromEntries(defaults), 'download-url': pathToFileURL(PACKAGES).href, ...given }
    const steps = {}
    let [failed, printed] = [false, '']
    const ran = []
    // The contexts and functions of expressions.
    const evaluate = (expression) => {
      const names = expression.replace(/\b(\w+)\.([\w-]+)\.outputs\.([\w-]+)/g, (_, _steps, id, name) => `output('${id}', '${name}')`)
      const code = names.replace(/\binputs\.([\w-]+)/g, "inputs['$1']")
      const output = (id, name) => steps[id]?.[name] ?? ''
      const body = new Function('inputs', 'output', 'job', 'failure', 'always', `return (${code})`)
      return body(inputs, output, { status: this.status }, () => failed, () => true)
    }
    const fill = (value) => String(value).replace(/\$\{\{(.*?)\}\}/g, (_, expression) => evaluate(expression))
    for (const step of action.runs.steps) {
      const condition = step.if ?? 'true'
      const isReached = /\b(always|failure)\(/.test(condition) || !failed
      if (!isReached || !evaluate(condition)) continue
      ran.push(step.name)
      if (step.uses) {
        this.uploads.push(Object.fromEntries(Object.entries(step.with).map(([name, value]) => [name, fill(value)])))
        continue
      }
      assert.equal(step.shell, 'bash')
      const { code, output, values } = await this.#run(step, fill)
      printed += output
      if (step.id) steps[step.id] = values
      failed ||= code !== 0
    }
    if (failed) this.status = 'failure'
    const outputs = Object.entries(action.outputs).map(([name, { value }]) => [name, fill(value)])
    return { outputs: Object.fromEntries(outputs), failed, printed, ran }
  }

  async #run(step, fill) {
    const files = Object.fromEntries(['OUTPUT', 'ENV', 'PATH'].map((name) => [`GITHUB_${name}`, join(this.directory, name)]))
    for (const path of Object.values(files)) writeFileSync(path, '')
    const own = Object.entries(step.env ?? {}).map(([name, value]) => [name, fill(value)])
    const env = {
      ...this.env,
      ...files,
      PATH: [...this.path, this.sandbox.env.PATH].join(delimiter),
      GITHUB_ACTION_PATH: ROOT,
      RUNNER_TEMP: this.directory,
      RUNNER_OS: 'Linux',
      ...Object.fromEntries(own),
    }
    const cwd = join(this.sandbox.project, fill(step['working-directory'] ?? '.'))
    // As a runner starts `shell: bash`.
    const result = await this.sandbox.run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', fill(step.run)], { env, cwd })
    const lines = (name) => readFileSync(files[name], 'utf8').split('\n').filter(Boolean)
    const pairs = (name) => Object.fromEntries(lines(name).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
    this.path.unshift(...lines('GITHUB_PATH'))
    Object.assign(this.env, pairs('GITHUB_ENV'))
    return { ...result, values: pairs('GITHUB_OUTPUT') }
  }
}

let sandbox
before(() => (sandbox = new Sandbox()))
after(() => sandbox.remove())

async function withJob(manifest, body) {
  const own = new Sandbox()
  try {
    own.write('app/portway.toml', manifest)
    await body(new Job(own), own)
  } finally {
    await own.remove()
  }
}

test('the linters accept the action, its scripts, and the workflows', async () => {
  assert.deepEqual(validateAction(text).errors, [])
  assert.notDeepEqual(validateAction(text.replace('using: composite', 'using: nothing')).errors, [])
  const scripts = readdirSync(SCRIPTS).map((name) => join(SCRIPTS, name))
  await sandbox.succeeds('shellcheck', ['--shell=bash', ...scripts])
  for (const [, example] of readFileSync(join(ROOT, 'docs/src/ci.md'), 'utf8').matchAll(/```yaml\n(on:[^]*?)```/g)) {
    assert.deepEqual(validateWorkflow(example).errors, [])
  }
  // Actions of others are pinned to a commit.
  const used = action.runs.steps.flatMap((step) => step.uses ?? [])
  assert.ok(used.length > 0 && used.every((name) => /@[0-9a-f]{40}$/.test(name)), used.join())
})

test('the action has the version and the address of the packages', () => {
  assert.equal(action.inputs.version.default, VERSION)
  const [, repository] = /^repository = "(.*)"$/m.exec(readFileSync(join(ROOT, 'Cargo.toml'), 'utf8'))
  const install = readFileSync(join(SCRIPTS, 'install.sh'), 'utf8')
  assert.ok(install.includes(`RELEASES="${repository}/releases/download"`))
})

test('starts the services, passes their ports on, and stops them', () =>
  withJob(MANIFEST, async (job, own) => {
    // Only ports and URLs are passed on: anybody who can change the repository can write the file.
    own.write('app/.ports.json', '{ "note": "x\\nLD_PRELOAD=/tmp/x", "a_url": "x\\nB=c", "c_port": "1", "note_url": "a b" }')
    const { outputs, failed, printed } = await job.use({ 'working-directory': 'app', args: 'backend\n' })
    assert.ok(!failed, printed)
    const port = Number(outputs['backend-port'])
    assert.ok(port >= 23300 && port <= 23399)
    assert.equal(outputs['backend-url'], `http://localhost:${port}`)
    assert.equal(JSON.parse(outputs.ports).backend_port, port)
    assert.equal(outputs['frontend-port'], '')
    assert.deepEqual(job.env, { BACKEND_PORT: String(port), BACKEND_URL: `http://localhost:${port}` })
    assert.equal((await fetch(outputs['backend-url'])).status, 200)
    // A later step finds the binary.
    const shown = await own.succeeds(join(job.path[0], 'portway'), ['--version'])
    assert.equal(shown, `portway ${VERSION}\n`)
    const end = await job.use({ 'working-directory': 'app', down: 'true' })
    assert.deepEqual(end.ran, ['Stop the services'])
    await own.untilEmpty()
    assert.deepEqual(job.uploads, [])
  }))

test('uploads the logs when the services or a later step fail', () =>
  withJob('[services.backend]\ncommand = "echo broken; exec no-such-program"\nport = 23401', async (job, own) => {
    const { failed, ran } = await job.use({ 'working-directory': 'app' })
    assert.ok(failed)
    assert.deepEqual(ran.slice(-3), ['Collect the logs', 'Upload the logs', 'Stop the services'])
    const [{ name, path }] = job.uploads
    assert.equal(name, 'portway-logs')
    assert.match(readFileSync(join(path, 'services.log'), 'utf8'), /broken/)
    assert.equal(JSON.parse(readFileSync(join(path, 'instances.json'), 'utf8')).length, 1)
    own.write('app/portway.toml', MANIFEST)
    job.status = 'success'
    await job.use({ 'working-directory': 'app' })
    job.status = 'failure'
    const end = await job.use({ 'working-directory': 'app', down: 'true', artifact: 'mine' })
    assert.ok(!end.failed, end.printed)
    assert.equal(job.uploads.at(-1).name, 'mine')
    await own.untilEmpty()
  }))

test('a version that is not one, and other bytes, are not installed', () =>
  withJob(MANIFEST, async (job, own) => {
    for (const version of ['', 'latest', '0.1.0; id']) {
      const { failed, printed } = await job.use({ version, up: 'false' })
      assert.ok(failed)
      assert.match(printed, /::error title=Portway::the input `version` is not a version/)
    }
    const archive = `portway-${VERSION}-x86_64-unknown-linux-gnu.tar.gz`
    own.write('files/install.sh', readFileSync(join(PACKAGES, 'install.sh')))
    own.write(`files/${archive}`, 'other bytes')
    own.write(`files/${archive}.sha256`, readFileSync(join(PACKAGES, `${archive}.sha256`)))
    const { failed, printed } = await job.use({ up: 'false', 'download-url': pathToFileURL(join(own.project, 'files')).href })
    assert.ok(failed)
    assert.match(printed, /the checksum of \S+ is wrong/)
    assert.deepEqual(job.path, [])
  }))
