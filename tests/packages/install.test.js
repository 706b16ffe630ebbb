// Each package manager installs Portway from a registry, with an empty cache and without scripts.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { join } from 'node:path'

import { Registry } from './support/registry.js'
import { NODES, PACKAGES, Sandbox, VERSION, npmCli, program } from './support/sandbox.js'

const SHOWN = `portway ${VERSION}`

let registry
before(async () => (registry = await Registry.start(PACKAGES)))
after(() => registry.stop())

function check(name, body) {
  test(name, async () => {
    const sandbox = new Sandbox()
    sandbox.env.npm_config_registry = `${registry.url}/`
    sandbox.env.npm_config_cache = join(sandbox.root, 'cache')
    sandbox.write('package.json', '{ "name": "app", "version": "1.0.0", "private": true }')
    try {
      await body(sandbox)
    } finally {
      await sandbox.remove()
    }
  })
}

const npm = (sandbox, ...args) => sandbox.succeeds(sandbox.node, [npmCli(), ...args])

check('npm', async (sandbox) => {
  await npm(sandbox, 'install', '--ignore-scripts', 'portway')
  assert.match(await npm(sandbox, 'exec', '--', 'portway', '--version'), new RegExp(SHOWN))
  // Again from the lockfile.
  await npm(sandbox, 'ci', '--ignore-scripts')
  const bin = join(sandbox.project, 'node_modules/.bin/portway')
  assert.equal(await sandbox.succeeds(bin, ['--version']), `${SHOWN}\n`)
})

check('npm, global', async (sandbox) => {
  const prefix = join(sandbox.root, 'prefix')
  await npm(sandbox, 'install', '--global', '--prefix', prefix, '--ignore-scripts', 'portway')
  assert.equal(await sandbox.succeeds(join(prefix, 'bin/portway'), ['--version']), `${SHOWN}\n`)
})

check('npx without installation', async (sandbox) => {
  assert.match(await npm(sandbox, 'exec', '--yes', '--ignore-scripts', 'portway', '--', '--version'), new RegExp(SHOWN))
  assert.ok(registry.requests.includes('/portway'))
})

check('pnpm', async (sandbox) => {
  const pnpm = (...args) => sandbox.succeeds(sandbox.node, [program('pnpm/bin/pnpm.cjs'), ...args])
  sandbox.write('.npmrc', `store-dir=${join(sandbox.root, 'store')}\n`)
  await pnpm('add', '--ignore-scripts', 'portway')
  assert.match(await pnpm('exec', 'portway', '--version'), new RegExp(SHOWN))
})

for (const linker of ['node-modules', 'pnp']) {
  check(`yarn with ${linker}`, async (sandbox) => {
    const yarn = (...args) => sandbox.succeeds(sandbox.node, [program('@yarnpkg/cli-dist/bin/yarn.js'), ...args])
    sandbox.write('yarn.lock', '')
    sandbox.write(
      '.yarnrc.yml',
      [
        `nodeLinker: ${linker}`,
        `npmRegistryServer: "${registry.url}"`,
        'unsafeHttpWhitelist: ["127.0.0.1"]',
        'enableScripts: false',
        'enableTelemetry: false',
        'enableGlobalCache: false',
        // A newly published package is held back otherwise.
        'npmMinimalAgeGate: 0',
        '',
      ].join('\n'),
    )
    await yarn('add', 'portway')
    assert.match(await yarn('portway', '--version'), new RegExp(SHOWN))
  })
}

check('bun', async (sandbox) => {
  const bun = (...args) =>
    sandbox.succeeds(program('@oven/bun-linux-x64-baseline/bin/bun'), args, {
      env: { BUN_INSTALL_CACHE_DIR: join(sandbox.root, 'bun'), BUN_CONFIG_REGISTRY: registry.url },
    })
  await bun('add', '--ignore-scripts', 'portway')
  const bin = join(sandbox.project, 'node_modules/.bin/portway')
  assert.equal(await sandbox.succeeds(bin, ['--version']), `${SHOWN}\n`)
  assert.match(await bun('run', '--bun', 'portway', '--version'), new RegExp(SHOWN))
})

check('older Node', async (sandbox) => {
  await npm(sandbox, 'install', '--ignore-scripts', 'portway')
  const launcher = join(sandbox.project, 'node_modules/portway/bin/portway.js')
  for (const directory of Object.values(NODES)) {
    assert.equal(await sandbox.succeeds(join(directory, 'node'), [launcher, '--version']), `${SHOWN}\n`)
  }
})

// The message names the package and the command of the manager that the user runs.
check('a missing platform package', async (sandbox) => {
  await npm(sandbox, 'install', '--ignore-scripts', '--omit=optional', 'portway')
  const launcher = join(sandbox.project, 'node_modules/portway/bin/portway.js')
  const wanted = `@portway/linux-x64@${VERSION}`
  for (const [agent, command] of [
    [undefined, `npm install --no-save --include=optional ${wanted}`],
    ['npm/11.0.0 node/v24 linux x64', `npm install --no-save --include=optional ${wanted}`],
    ['pnpm/10.0.0 npm/? node/v24 linux x64', `pnpm add --save-optional ${wanted}`],
    ['yarn/4.0.0 npm/? node/v24 linux x64', `yarn add --optional ${wanted}`],
    ['bun/1.4.4 npm/? node/v24 linux x64', `bun add --optional ${wanted}`],
  ]) {
    const env = agent ? { npm_config_user_agent: agent } : {}
    const { code, output } = await sandbox.run(sandbox.node, [launcher, '--version'], { env })
    assert.equal(code, 1)
    assert.match(output, /^error: the package `@portway\/linux-x64` is missing/)
    assert.ok(output.includes(`help: run \`${command}\``), output)
  }
  // The command helps.
  await npm(sandbox, 'install', '--no-save', '--include=optional', '--ignore-scripts', wanted)
  assert.equal(await sandbox.succeeds(sandbox.node, [launcher, '--version']), `${SHOWN}\n`)
})
