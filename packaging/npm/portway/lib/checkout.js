// The checkout that contains a directory, and its `.ports.json`.
'use strict'

const { createHash } = require('node:crypto')
const { existsSync, readFileSync, realpathSync, statSync } = require('node:fs')
const { dirname, join, relative, isAbsolute, sep } = require('node:path')
const { PortwayError } = require('./error.js')

const PORTS_FILE = '.ports.json'
// The size up to which Portway itself reads the file.
const MAX_SIZE = 1024 * 1024

/** The directory and all directories above it, nearest first, without symbolic links. */
function ancestors(directory) {
  let current = realpathSync.native(directory)
  const found = [current]
  while (dirname(current) !== current) found.push((current = dirname(current)))
  return found
}

/** The IDs that Portway gives to an instance whose root is the directory, or one above it in its checkout. */
function instanceIds(directory) {
  return ownDirectories(directory).map((path) => createHash('sha256').update(path).digest('hex').slice(0, 16))
}

// Whether the directory is the top of a clone or a worktree. A submodule belongs to the checkout around it.
function isTop(directory) {
  const path = join(directory, '.git')
  try {
    if (statSync(path).isDirectory()) return true
    return !/^gitdir:.*[\\/]modules[\\/]/m.test(readFileSync(path, 'utf8'))
  } catch {
    return false
  }
}

/** The top of the git checkout that contains the directory; undefined outside git. */
function gitTop(directory) {
  return ancestors(directory).find(isTop)
}

// The directories of the checkout: from this one up to its top. Above are other checkouts.
function ownDirectories(directory) {
  const all = ancestors(directory)
  const top = all.findIndex(isTop)
  return top < 0 ? all : all.slice(0, top + 1)
}

/**
 * The nearest `.ports.json` of this checkout, as `{ path, values }`; undefined if there is none.
 */
function readPortsFile(directory) {
  const path = ownDirectories(directory)
    .map((one) => join(one, PORTS_FILE))
    .find(existsSync)
  if (!path) return undefined
  const invalid = (cause) =>
    new PortwayError('ports_file_invalid', `cannot use \`${path}\`: ${cause}`, [
      'delete the file and run `portway detect`',
    ])
  const stat = statSync(path)
  if (!stat.isFile()) throw invalid('it is not a regular file')
  if (stat.size > MAX_SIZE) throw invalid('it is larger than 1 MiB')
  let values
  try {
    values = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw invalid(error.message)
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) throw invalid('it is not a JSON object')
  return { path, values }
}

/**
 * Whether a process that runs in `directory` runs in the checkout of `own`. The answer is undefined if the
 * directory belongs to no checkout, so that nothing is proven.
 */
function isSameCheckout(directory, own) {
  // The directory of a removed worktree: whatever is above it now is another checkout.
  if (!existsSync(directory)) return false
  const top = gitTop(directory)
  const ownTop = gitTop(own)
  if (top || ownTop) return top ? top === ownTop : undefined
  const root = projectRoot(own)
  const path = relative(root, realpathSync.native(directory))
  return path === '' || (path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path)) ? true : undefined
}

// The root of a project without git.
function projectRoot(directory) {
  const all = ancestors(directory)
  const marks = ['portway.toml', PORTS_FILE]
  return all.find((one) => marks.some((name) => existsSync(join(one, name)))) ?? all[0]
}

module.exports = { gitTop, instanceIds, isSameCheckout, readPortsFile }
