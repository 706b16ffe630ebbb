// Test runners in two worktrees: the tests of one never run against the server of the other, and the error
// says whose server it is. With the real Playwright and Vitest; of Cypress, the functions.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { program, until } from './support/sandbox.js'
import { Worktrees } from './support/worktrees.js'

// The browser test of a checkout: the page says which checkout has delivered it.
const PAGE_TEST = `
import { test, expect } from '@playwright/test'
test('the page is from this checkout', async ({ page }) => {
  await page.goto('/')
  await expect(page.locator('h1')).toHaveText(process.cwd().split('/').pop())
})
`

const configuration = (use, server) => `
import { defineConfig } from '@playwright/test'
import { baseURL, webServer } from 'portway/playwright'
export default defineConfig({
  testDir: 'e2e',
  timeout: 60_000,
  reporter: 'line',
  use: {
    baseURL: ${use},
    launchOptions: {
      executablePath: ${JSON.stringify(process.env.CHROMIUM || '/usr/bin/chromium')},
      args: ['--headless', '--no-sandbox', '--disable-gpu'],
    },
  },
  webServer: ${server},
})
`

let worktrees
before(async () => {
  worktrees = await Worktrees.create({
    'e2e/page.spec.ts': PAGE_TEST,
    'playwright.config.ts': configuration("baseURL('web')", "webServer('web')"),
    'unit/api.test.js': `
      import { expect, inject, test } from 'vitest'
      test('the server of this checkout', async () => {
        const { port, url } = inject('portway').api_v2
        expect(url).toBe('http://localhost:' + port)
        if (process.env.EXPECT_PAGE) {
          expect(await (await fetch(url)).text()).toBe('<h1>' + process.env.EXPECT_PAGE + '</h1>')
        }
      })`,
    'vitest.config.mjs': `export default { test: { include: ['unit/**'], globalSetup: ['portway/vitest'] } }`,
    'needs.mjs': `import { needs } from 'portway/vitest'\nexport default needs({ services: ['api_v2'] })`,
    'needs.config.mjs': `export default { test: { include: ['unit/**'], globalSetup: ['./needs.mjs'] } }`,
  })
})
after(() => worktrees.remove())

function playwright(directory, ...args) {
  const env = { PLAYWRIGHT_HTML_OPEN: 'never', CI: '1' }
  return worktrees.run(worktrees.node, [program('@playwright/test/cli.js'), 'test', ...args], { cwd: directory, env })
}

function vitest(directory, args = [], env = {}) {
  const words = [program('vitest/vitest.mjs'), 'run', ...args]
  return worktrees.run(worktrees.node, words, { cwd: directory, env: { ...env, CI: '1', NO_COLOR: '1' } })
}

// What an error says about the server of the other worktree.
const refusal = (port) =>
  new RegExp(`refused to test http://localhost:${port}\\S*: port ${port} is used by \`[\\w-]+\` of \`fix\\.project\` in \\S+/fix \\(node, pid \\d+\\), not by the checkout \\S+/project`)

test('Playwright starts the server, and stops it', async () => {
  const { code, output } = await playwright(worktrees.project)
  assert.equal(code, 0, output)
  assert.match(output, /1 passed/)
  await until(() => ![...worktrees.processes().values()].some((line) => line === 'node server.js'), () => 'the server runs on')
})

test('Playwright uses the server that runs', async () => {
  await worktrees.up(worktrees.project)
  const before = await worktrees.portway(worktrees.project, 'ps', '--json')
  const { code, output } = await playwright(worktrees.project)
  assert.equal(code, 0, output)
  const pids = (text) => JSON.parse(text).flatMap(({ services }) => services.map(({ pid }) => pid))
  assert.deepEqual(pids(await worktrees.portway(worktrees.project, 'ps', '--json')), pids(before))
  await worktrees.portway(worktrees.project, 'down')
})

test('Playwright refuses the server of the other worktree', async () => {
  const { web_port: port } = await worktrees.up(worktrees.other)
  const url = `'http://localhost:${port}'`
  const server = `webServer({ command: 'node server.js', url: ${url}, env: { PORT: '${port}' } })`
  const byUrl = configuration(url, server)
  const byPort = configuration(url, server.replace(`url: ${url}`, `port: ${port}`))
  for (const text of [byPort, byUrl]) {
    writeFileSync(join(worktrees.project, 'address.config.ts'), text)
    const { code, output } = await playwright(worktrees.project, '--config', 'address.config.ts')
    assert.equal(code, 1, output)
    assert.match(output, refusal(port))
    assert.doesNotMatch(output, /passed|Running/)
  }
  // In the worktree that owns the server, the same configuration passes.
  writeFileSync(join(worktrees.other, 'address.config.ts'), byUrl)
  assert.match((await playwright(worktrees.other, '--config', 'address.config.ts')).output, /1 passed/)
  // The configuration decides, not the directory in which the command runs.
  const config = join(worktrees.project, 'address.config.ts')
  assert.match((await playwright(worktrees.other, '--config', config)).output, refusal(port))
  // With a service instead of an address, both run at once.
  assert.match((await playwright(worktrees.project)).output, /1 passed/)
})

test('Cypress: the address, and the check before the tests', async () => {
  await worktrees.portway(worktrees.other, 'down')
  const run = async (directory, body) =>
    (await worktrees.run(worktrees.node, ['-e', `
      const { baseUrl, checkServer } = require('portway/cypress')
      try { ${body} } catch (error) { console.log(error.code, error.message) }`], { cwd: directory })).output
  assert.match(await run(worktrees.project, `checkServer({ baseUrl: baseUrl('web') })`), /^not_running no server listens at http\S+\nhelp: start the services of \S+: run `portway up --detach`/)
  const { web_port: port } = await worktrees.up(worktrees.other)
  const body = `console.log(checkServer({ baseUrl: 'http://localhost:${port}/' }, 'web').baseUrl)`
  assert.equal(await run(worktrees.other, body), `http://localhost:${port}/\n`)
  assert.match(await run(worktrees.project, body), refusal(port))
  // The server of another service of the same checkout is not the one, either.
  assert.match(await run(worktrees.other, body.replace("'web'", "'api-v2'")), /is used by `web` of `fix\.project`/)
  assert.match(await run(worktrees.project, 'checkServer({})'), /^usage /)
})

test('Vitest provides the addresses of this checkout', async () => {
  const passed = await vitest(worktrees.project)
  assert.equal(passed.code, 0, passed.output)
  const needed = await vitest(worktrees.project, ['--config', 'needs.config.mjs'])
  assert.equal(needed.code, 1)
  assert.match(needed.output, /`api_v2` does not listen at http:\S+\n\s*help: start the services/)
  await worktrees.up(worktrees.project)
  const env = { EXPECT_PAGE: 'project' }
  const running = await vitest(worktrees.project, ['--config', 'needs.config.mjs'], env)
  assert.equal(running.code, 0, running.output)
  await worktrees.portway(worktrees.project, 'down')
})

test('Vitest refuses the server of the other worktree', async () => {
  const { api_v2_port: port } = await worktrees.up(worktrees.other)
  // The file was edited: the port of the other worktree is forced.
  writeFileSync(join(worktrees.project, '.ports.json'), JSON.stringify({ api_v2_port: port }))
  const { code, output } = await vitest(worktrees.project)
  assert.equal(code, 1, output)
  assert.match(output, new RegExp(`port ${port}`))
  assert.match(output, /fix/)
})

// A server that Portway has not started is recognized by the directory of its process.
test('a server without Portway', async () => {
  await worktrees.portway(worktrees.other, 'down')
  const server = worktrees.start(worktrees.node, ['server.js'], { cwd: worktrees.other, env: { PORT: '0' } })
  try {
    let port
    await until(() => (port = server.output().match(/port (\d+)/)?.[1]), server.output)
    const script = `
      const { checkServer } = require('portway/cypress')
      const config = { baseUrl: 'http://localhost:${port}', projectRoot: process.cwd() }
      try { console.log(checkServer(config) === config) } catch (error) { console.log(error.message) }`
    const check = async (cwd) => (await worktrees.run(worktrees.node, ['-e', script], { cwd })).output
    assert.equal(await check(worktrees.other), 'true\n')
    const refused = /port \d+ is used by `node` \(pid \d+\) in \S+\/fix, not by the checkout \S+\/project/
    assert.match(await check(worktrees.project), refused)
    // A removed worktree is not part of the checkout around it.
    const removed = join(worktrees.project, 'removed')
    renameSync(worktrees.other, removed)
    rmSync(removed, { recursive: true })
    assert.match(await check(worktrees.project), /not by the checkout|nothing proves/)
  } finally {
    server.kill()
    await server.status
  }
})
