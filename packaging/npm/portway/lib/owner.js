// Who listens on a port: this checkout or another one.
'use strict'

const { basename } = require('node:path')
const { ask } = require('./binary.js')
const { instanceIds, isSameCheckout } = require('./checkout.js')
const { PortwayError } = require('./error.js')

/**
 * Finds out whether the process that listens on a port belongs to this checkout.
 *
 * Returns `{ verdict, owner }`. The verdict is `none` if no process listens, `own` if Portway proves that
 * all that do belong to this checkout, `other` if it proves the contrary, else `unknown`. `owner` is a text.
 *
 * @param {number} port
 * @param {string} directory a directory of this checkout
 * @param {string} [service] the service that must be the one, if it was started by Portway
 */
function findOwner(port, directory, service) {
  const [{ state, holders }] = ask(['who', String(port)], directory)
  if (state !== 'listening') return { verdict: 'none', owner: undefined }
  const judged = holders.map((holder) => ({ verdict: judge(holder, directory, service), owner: describe(holder) }))
  return (
    ['other', 'unknown', 'own'].map((verdict) => judged.find((one) => one.verdict === verdict)).find(Boolean) ?? {
      verdict: 'unknown',
      owner: 'a process that is not visible to this user',
    }
  )
}

function judge({ service: found, process }, directory, service) {
  if (found) {
    return isOwnInstance(found.id, directory) && (service === undefined || found.service === service.split('.')[0]) ? 'own' : 'other'
  }
  if (!process?.directory) return 'unknown'
  const same = isSameCheckout(process.directory, directory)
  return same === undefined ? 'unknown' : same ? 'own' : 'other'
}

// The root of a project can be above several clones, which only Portway finds out.
function isOwnInstance(id, directory) {
  if (instanceIds(directory).includes(id)) return true
  try {
    return ask(['env'], directory).PORTWAY_ID === id
  } catch {
    return false
  }
}

// Such as: `web` of `fix.shop` in /home/ada/fix (node, pid 4711)
function describe({ service, process, user, container }) {
  const program = process ? `${programOf(process)}, pid ${process.pid}` : `a process of ${user ?? 'another user'}`
  if (service) return `\`${service.service}\` of \`${service.instance}\` in ${service.directory} (${program})`
  const place = process?.directory ? ` in ${process.directory}` : ''
  return `${process ? `\`${programOf(process)}\` (pid ${process.pid})` : program}${container ? ' of a container' : ''}${place}`
}

// Some programs, such as Node, name their process after a thread.
function programOf({ command, name }) {
  return basename(command?.split(' ')[0] || name)
}

/**
 * The error for a port on which not this checkout listens.
 *
 * @param {{ verdict: string, owner: string }} found
 */
function refusal(port, directory, { verdict, owner }, url = `http://localhost:${port}`) {
  const fact =
    verdict === 'other'
      ? `port ${port} is used by ${owner}, not by the checkout ${directory}`
      : `port ${port} is used by ${owner}; nothing proves that it belongs to the checkout ${directory}`
  return new PortwayError('other_checkout', `refused to test ${url}: ${fact}`, [
    `stop it, or let Portway choose a port for this checkout: name a service instead of a port`,
    `\`portway who ${port}\` shows more`,
  ])
}

module.exports = { findOwner, refusal }
