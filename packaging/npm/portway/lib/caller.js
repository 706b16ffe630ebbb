// The directory of the file that uses this package.
'use strict'

const { dirname, isAbsolute, sep } = require('node:path')
const { fileURLToPath } = require('node:url')

const PACKAGE = dirname(__dirname) + sep

/**
 * The directory of the nearest file on the stack that is not part of this package, such as that of a
 * configuration file, which need not be in the current directory.
 */
function callerDirectory() {
  for (const line of (new Error().stack ?? '').split('\n').slice(1)) {
    const place = line.match(/\(([^()]+?):\d+:\d+\)\s*$/)?.[1] ?? line.match(/at (?:async )?(\S.*?):\d+:\d+\s*$/)?.[1]
    if (!place) continue
    let file
    try {
      file = place.startsWith('file:') ? fileURLToPath(place) : place
    } catch {
      continue
    }
    if (isAbsolute(file) && !file.startsWith(PACKAGE)) return dirname(file)
  }
  return process.cwd()
}

module.exports = { callerDirectory }
