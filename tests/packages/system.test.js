// The packages of the system: Debian's, the container image, and the feature of dev containers; and the files for
// package managers that are not here.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { MISSING, withEngine } from './support/engine.js'
import { parsePowerShell } from './support/powershell.js'
import { PACKAGES, Sandbox, VERSION } from './support/sandbox.js'

const SHOWN = `portway ${VERSION}\n`
const ARCHIVE = `portway-${VERSION}-x86_64-unknown-linux-gnu`

let sandbox
before(() => (sandbox = new Sandbox()))
after(() => sandbox.remove())

const isInstalled = (program) => !spawnSync(program, ['--version']).error

// Unpacks an archive into a directory of its own.
async function unpacked(file) {
  const directory = join(sandbox.root, `unpacked-${file}`)
  mkdirSync(directory)
  await sandbox.succeeds('tar', ['--extract', '--file', join(PACKAGES, file), '--directory', directory])
  return directory
}

test('dpkg installs and removes the package', async () => {
  const file = join(PACKAGES, `portway_${VERSION}-1_amd64.deb`)
  const root = join(sandbox.root, 'debian')
  mkdirSync(root)
  // Without the other packages of a system, so that a missing dependency is an error.
  const dpkg = (...args) =>
    sandbox.succeeds('unshare', ['--map-root-user', 'dpkg', `--root=${root}`, '--force-not-root', '--log=/dev/null', ...args])
  await dpkg('--install', file)
  assert.equal(await sandbox.succeeds(join(root, 'usr/bin/portway'), ['--version']), SHOWN)
  for (const file of [
    'man/man1/portway-up.1.gz',
    'bash-completion/completions/portway',
    'zsh/vendor-completions/_portway',
    'fish/vendor_completions.d/portway.fish',
  ]) {
    assert.ok(existsSync(join(root, 'usr/share', file)), file)
  }
  // Prints the files that differ from the package.
  assert.equal(await dpkg('--verify', 'portway'), '')
  assert.match(await dpkg('--status', 'portway'), new RegExp(`Status: install ok installed[^]*Version: ${VERSION}-1\n`))
  await dpkg('--purge', 'portway')
  assert.ok(!existsSync(join(root, 'usr/bin')))
})

test('Docker loads and runs the image', { skip: MISSING }, () =>
  withEngine(sandbox, async (docker) => {
    const image = `portway:${VERSION}`
    await docker('load', '--input', join(PACKAGES, `portway-${VERSION}-image-amd64.tar`))
    const layers = JSON.parse(await docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image))
    assert.equal(layers.length, 1)
    // The debug binary in the packages of the tests is not static, so it cannot run in there.
    await docker('create', '--name', 'copy', image)
    await docker('cp', 'copy:/portway', join(sandbox.root, 'copied'))
    assert.deepEqual(readFileSync(join(sandbox.root, 'copied')), readFileSync(join(await unpacked(`${ARCHIVE}.tar.gz`), ARCHIVE, 'portway')))
  }),
)

test('the feature installs into a dev container', async () => {
  const feature = await unpacked('devcontainer-feature-portway.tgz')
  const manifest = JSON.parse(readFileSync(join(feature, 'devcontainer-feature.json'), 'utf8'))
  assert.equal(manifest.version, VERSION)
  const bin = join(sandbox.root, 'local-bin')
  // Options become variables with names in capitals.
  assert.ok('downloadUrl' in manifest.options)
  const env = { DOWNLOADURL: pathToFileURL(PACKAGES).href, PORTWAY_INSTALL_DIR: bin }
  await sandbox.succeeds('sh', [join(feature, 'install.sh')], { env })
  assert.deepEqual(readdirSync(bin), ['portway'])
  assert.equal(await sandbox.succeeds(join(bin, 'portway'), ['--version']), SHOWN)
})

test('Ruby reads the formula', { skip: !isInstalled('ruby') && 'ruby is not installed' }, async () => {
  const formula = join(PACKAGES, 'homebrew/portway.rb')
  // Stand-ins for what Homebrew defines print what the formula says.
  const read = `
    class Formula
      def self.test = nil
      def self.method_missing(name, *values) = (puts([name, *values].join(" ")) ; yield if block_given?)
    end
    load ARGV[0]
  `
  const output = await sandbox.succeeds('ruby', ['-e', read, formula])
  const [sum] = readFileSync(join(PACKAGES, `${ARCHIVE}.tar.gz.sha256`), 'utf8').split(' ')
  assert.match(output, new RegExp(`^version ${VERSION}\n`, 'm'))
  assert.match(output, new RegExp(`^on_linux\non_intel\nurl \\S+/${ARCHIVE}.tar.gz\nsha256 ${sum}\n`, 'm'))
})

test('Nix reads the flake', { skip: !isInstalled('nix-instantiate') && 'nix is not installed' }, async () => {
  // A stand-in for nixpkgs returns what a derivation is made of.
  const expression = `
    let
      pkgs = {
        fetchurl = archive: archive;
        stdenvNoCC.mkDerivation = derivation: derivation;
        lib.licenses = { mit = "MIT"; asl20 = "Apache-2.0"; };
      };
      flake = import ${join(PACKAGES, 'nix/flake.nix')};
    in
    (flake.outputs { self = flake; nixpkgs.legacyPackages.x86_64-linux = pkgs; }).packages.x86_64-linux.default
  `
  const env = { NIX_STATE_DIR: join(sandbox.root, 'nix'), NIX_STORE_DIR: join(sandbox.root, 'store') }
  const output = await sandbox.succeeds('nix-instantiate', ['--eval', '--strict', '--json', '--expr', expression], { env })
  // Before it, there may be warnings.
  const derivation = JSON.parse(output.trim().split('\n').at(-1))
  const [sum] = readFileSync(join(PACKAGES, `${ARCHIVE}.tar.gz.sha256`), 'utf8').split(' ')
  assert.equal(derivation.version, VERSION)
  assert.equal(derivation.src.sha256, sum)
})

test('PowerShell can parse its script', async () => {
  const script = readFileSync(join(PACKAGES, 'install.ps1'), 'utf8')
  assert.deepEqual(await parsePowerShell(script), [])
  // The check finds an error.
  assert.notDeepEqual(await parsePowerShell(script.replace('finally {', 'finally ')), [])
  assert.ok(script.includes(`portway-${VERSION}-x86_64-pc-windows-msvc`))
})
