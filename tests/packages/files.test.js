// The wheel and the archive: installed without a network, and with the same binary as the npm package.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { PACKAGES, Sandbox, VERSION } from './support/sandbox.js'

const sha256 = (path) => createHash('sha256').update(readFileSync(path)).digest('hex')

async function inSandbox(body) {
  const sandbox = new Sandbox()
  try {
    await body(sandbox)
  } finally {
    await sandbox.remove()
  }
}

async function installed(sandbox) {
  const environment = join(sandbox.root, 'venv')
  await sandbox.succeeds('python3', ['-m', 'venv', environment])
  const pip = ['install', '--no-index', '--disable-pip-version-check', '--find-links', PACKAGES, 'portway']
  await sandbox.succeeds(join(environment, 'bin/pip'), pip)
  return environment
}

test('pip installs the wheel without a network', () =>
  inSandbox(async (sandbox) => {
    const environment = await installed(sandbox)
    const python = join(environment, 'bin/python')
    const shown = `portway ${VERSION}\n`
    assert.equal(await sandbox.succeeds(join(environment, 'bin/portway'), ['--version']), shown)
    assert.equal(await sandbox.succeeds(python, ['-m', 'portway', '--version']), shown)
    // Exit codes are Portway's own.
    assert.equal((await sandbox.run(python, ['-m', 'portway', 'unknown'])).code, 2)
    // `pip check` reports a package with inconsistent metadata.
    await sandbox.succeeds(join(environment, 'bin/pip'), ['check'])
    await sandbox.succeeds(join(environment, 'bin/pip'), ['uninstall', '--yes', 'portway'])
    assert.deepEqual(readdirSync(join(environment, 'bin')).filter((name) => name.includes('portway')), [])
  }))

test('pip installs the wheel into a directory', () =>
  inSandbox(async (sandbox) => {
    const target = join(sandbox.root, 'target')
    const pip = ['-m', 'pip', 'install', '--no-index', '--disable-pip-version-check', '--target', target]
    await sandbox.succeeds('python3', [...pip, '--find-links', PACKAGES, 'portway'])
    const output = await sandbox.succeeds('python3', ['-m', 'portway', '--version'], { env: { PYTHONPATH: target } })
    assert.equal(output, `portway ${VERSION}\n`)
  }))

test('the Python package, with the libraries that it has helpers for', () =>
  inSandbox(async (sandbox) => {
    const python = process.env.PORTWAY_TEST_PYTHON
    const target = join(sandbox.root, 'target')
    const pip = ['-m', 'pip', 'install', '--no-index', '--disable-pip-version-check', '--target', target]
    await sandbox.succeeds(python, [...pip, '--find-links', PACKAGES, 'portway'])
    const tests = join(import.meta.dirname, 'python')
    const env = { PYTHONPATH: target, PYTHONDONTWRITEBYTECODE: '1' }
    const output = await sandbox.succeeds(python, ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', tests], { env })
    assert.match(output, /\d+ passed/)
    assert.doesNotMatch(output, /skipped|failed/)
  }))

test('the script installs from an archive', () =>
  inSandbox(async (sandbox) => {
    const script = join(PACKAGES, 'install.sh')
    const url = pathToFileURL(PACKAGES).href
    const bin = join(sandbox.env.HOME, '.local/bin')
    const output = await sandbox.succeeds('sh', [script], { env: { PORTWAY_DOWNLOAD_URL: url } })
    assert.ok(output.includes(`add ${bin} to PATH`), output)
    assert.equal(await sandbox.succeeds(join(bin, 'portway'), ['--version']), `portway ${VERSION}\n`)
    assert.deepEqual(readdirSync(bin), ['portway'])
    // An archive with other bytes is not installed.
    const archive = `portway-${VERSION}-x86_64-unknown-linux-gnu.tar.gz`
    sandbox.write(archive, 'other bytes')
    sandbox.write(`${archive}.sha256`, readFileSync(join(PACKAGES, `${archive}.sha256`)))
    const env = { PORTWAY_DOWNLOAD_URL: pathToFileURL(sandbox.project).href, PORTWAY_INSTALL_DIR: join(sandbox.root, 'bin') }
    const refused = await sandbox.run('sh', [script], { env })
    assert.equal(refused.code, 1)
    assert.match(refused.output, /^error: the checksum of portway-\S+ is wrong; nothing was installed/)
    assert.deepEqual(readdirSync(join(sandbox.root, 'bin')), [])
  }))

test('all packages contain the same binary', () =>
  inSandbox(async (sandbox) => {
    const unpack = async (file) => {
      const directory = join(sandbox.root, file)
      await sandbox.succeeds('mkdir', [directory])
      await sandbox.succeeds('tar', ['--extract', '--file', join(PACKAGES, file), '--directory', directory])
      return directory
    }
    const archive = `portway-${VERSION}-x86_64-unknown-linux-gnu`
    const sums = new Set([
      sha256(join(await installed(sandbox), 'bin/portway')),
      sha256(join(await unpack(`portway-linux-x64-${VERSION}.tgz`), 'package/portway')),
      sha256(join(await unpack(`${archive}.tar.gz`), archive, 'portway')),
    ])
    assert.equal(sums.size, 1)
    await sandbox.succeeds('sha256sum', ['--check', `${archive}.tar.gz.sha256`], { cwd: PACKAGES })
    const manual = readFileSync(join(sandbox.root, `${archive}.tar.gz`, archive, 'man/portway.1'), 'utf8')
    assert.match(manual, /^\.SH NAME$/m)
    const completions = readdirSync(join(sandbox.root, `${archive}.tar.gz`, archive, 'completions'))
    assert.deepEqual(completions.sort(), ['_portway', 'portway.bash', 'portway.fish', 'portway.ps1'])
  }))
