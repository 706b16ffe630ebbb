// The JSON schema of the manifest, under the rules of SchemaStore, and beside Portway itself.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import Ajv from 'ajv'
import { parse } from 'smol-toml'

import { ROOT, Sandbox } from './support/sandbox.js'

const DRAFT = 'http://json-schema.org/draft-07/schema#'
const store = join(ROOT, 'schema/schemastore')
const text = readFileSync(join(ROOT, 'schema/portway.schema.json'), 'utf8')
const schema = JSON.parse(text)
const entry = JSON.parse(readFileSync(join(store, 'catalog-entry.json'), 'utf8'))

// In strict mode, as SchemaStore compiles it: an unknown keyword or format is an error.
const validate = new Ajv.default({ strict: true, allErrors: true }).compile(schema)

const files = (kind) => {
  const directory = join(store, 'src', kind, 'portway')
  return readdirSync(directory).map((name) => ({ name, text: readFileSync(join(directory, name), 'utf8') }))
}

let sandbox
before(() => (sandbox = new Sandbox()))
after(() => sandbox.remove())

// The code of the error that Portway reports for a manifest, or undefined.
async function portwayError(manifest) {
  sandbox.write('portway.toml', manifest)
  const { output } = await sandbox.portway(['plan', '--json'])
  return JSON.parse(output).error?.code
}

test('the schema and its entry in the catalog follow the rules', () => {
  assert.equal(schema.$schema, DRAFT)
  assert.equal(schema.$id, entry.url)
  assert.equal(basename(entry.url), 'portway.json')
  assert.deepEqual(entry.fileMatch, ['portway.toml'])
  for (const text of [entry.name, entry.description]) {
    assert.doesNotMatch(text, /schema|\n|[,. \t-]$/i)
  }
  // Each definition is used.
  for (const name of Object.keys(schema.definitions)) {
    assert.ok(text.includes(`"#/definitions/${name}"`), name)
  }
})

test('manifests that Portway accepts are valid', async () => {
  const own = ['examples/jobi', 'tests/browser/fixtures/shop', 'tests/browser/fixtures/notes'].map((path) => ({
    name: path,
    text: readFileSync(join(ROOT, path, 'portway.toml'), 'utf8'),
  }))
  for (const { name, text } of [...files('test'), ...own]) {
    assert.ok(validate(parse(text)), `${name}: ${JSON.stringify(validate.errors)}`)
    assert.equal(await portwayError(text), undefined, name)
  }
})

test('manifests that Portway rejects are not', async () => {
  const found = files('negative_test')
  assert.ok(found.length >= 10)
  for (const { name, text } of found) {
    assert.ok(!validate(parse(text)), name)
    assert.equal(await portwayError(text), 'manifest_invalid', name)
  }
})

test('each file of the tests names the schema as SchemaStore expects', () => {
  for (const { name, text } of [...files('test'), ...files('negative_test')]) {
    assert.match(text, /^#:schema \.\.\/\.\.\/schemas\/json\/portway\.json\n/, name)
  }
})

test('the complete manifest has each key', () => {
  const { text } = files('test').find(({ name }) => name === 'complete.toml')
  const manifest = parse(text)
  const services = Object.values(manifest.services)
  const missing = (definition, tables) =>
    Object.keys(definition.properties).filter((key) => !tables.some((table) => key in table))
  assert.deepEqual(missing(schema, [manifest]), [])
  // A service of its own process has no network of its own.
  assert.deepEqual(missing(schema.definitions.Service, services), ['isolation'])
})
