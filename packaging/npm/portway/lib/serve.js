// Started by a test runner: runs `portway up` until it is stopped.
//
// usage: node serve.js DIRECTORY [SERVICE]
'use strict'

const { spawn } = require('node:child_process')
const { constants } = require('node:os')
const { findBinary } = require('./binary.js')

const [directory, ...services] = process.argv.slice(2)
const child = spawn(findBinary(), ['up', ...services], { cwd: directory, stdio: 'inherit' })
let isStopping = false
let waiting
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isStopping = true
    child.kill(signal)
    if (waiting) process.exit(0)
  })
}
child.on('error', (error) => {
  process.stderr.write(`error: cannot run \`${findBinary()}\`: ${error.message}\n`)
  process.exit(1)
})
child.on('exit', (code, signal) => {
  if (isStopping || code !== 0) process.exit(code ?? 128 + constants.signals[signal])
  // The instance runs in the background already, and now with this service. The test runner expects that
  // its server does not end by itself.
  waiting = setInterval(() => {}, 60_000)
})
