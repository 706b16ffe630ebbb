// From what Portway prints to what the view shows. Pure functions.
'use strict'

const { printable } = require('./binary.js')

/**
 * @typedef {{ port: number, name?: string, url?: string }} Port
 * @typedef {{ name: string, state: string, url?: string, ports: Port[], detail?: string }} Service
 * @typedef {{ directory: string, name: string, branch?: string, id?: string, state: string, services: Service[],
 *   error?: string }} Project
 */

const STOPPED = ['stopped', 'completed', 'failed']

/** @param {{ state: string }} one a service or an instance */
const isRunning = ({ state }) => !STOPPED.includes(state)

/**
 * The project in a folder.
 * @param {string} folder the folder, without symbolic links
 * @param {any} plan the output of `portway plan --json`, or undefined if it failed
 * @param {string | undefined} error why the plan failed
 * @param {any[]} instances the output of `portway ps --json`
 * @returns {Project}
 */
function project(folder, plan, error, instances) {
  const directory = plan?.directory ?? folder
  // If the manifest is invalid, its instance can still be running.
  const instance =
    instances.find((one) => one.directory === directory) ??
    (plan ? undefined : instances.find((one) => isInside(folder, one.directory)))
  const planned = (plan?.services ?? []).map((/** @type {any} */ service) => ({
    name: service.name,
    state: 'stopped',
    ports: [],
    detail: service.optional ? 'optional' : undefined,
  }))
  const known = (instance?.services ?? []).map(fromStatus)
  const names = new Set(known.map((/** @type {Service} */ service) => service.name))
  return {
    directory: instance?.directory ?? directory,
    name: printable(instance?.name ?? plan?.project ?? baseName(directory)),
    branch: instance?.branch && printable(instance.branch),
    id: instance?.id,
    state: instance?.state ?? 'stopped',
    services: [...known, ...planned.filter((/** @type {Service} */ { name }) => !names.has(name))],
    error,
  }
}

/** @param {any} service a service in `portway ps --json` */
function fromStatus(service) {
  return { name: service.name, state: service.state, url: service.url, ports: service.ports ?? [] }
}

/** @param {string} path @param {string} directory */
function isInside(path, directory) {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`)
}

/** @param {string} directory */
const baseName = (directory) => directory.split(/[\\/]/).filter(Boolean).at(-1) ?? directory

/**
 * What the view shows for a project.
 * @param {Project} project
 */
function projectItem({ name, branch, state, services, error }) {
  const running = services.filter(isRunning).length
  const facts = [branch, running > 0 ? `${running} of ${services.length} running` : state]
  return {
    label: name,
    description: error ? 'error' : facts.filter(Boolean).join(' · '),
    tooltip: error ?? '',
    icon: error ? 'error' : running > 0 ? 'server-process' : 'server',
    // What the menus offer.
    context: ['project', 'start', ...(running > 0 ? ['stop', 'restart', 'logs'] : [])].join(' '),
  }
}

const ICONS = new Map([
  ['ready', 'pass-filled'],
  ['unhealthy', 'warning'],
  ['backoff', 'warning'],
  ['failed', 'error'],
  ['completed', 'pass'],
  ['stopped', 'circle-outline'],
  ['unknown', 'question'],
])

/**
 * What the view shows for a service.
 * @param {Service} service
 */
function serviceItem(service) {
  const ports = service.ports.map(({ port }) => port).join(', ')
  const url = isRunning(service) ? webUrl(service) : undefined
  return {
    label: printable(service.name),
    description: [ports, service.state, service.detail].filter(Boolean).join(' · '),
    tooltip: printable(service.url ?? ''),
    icon: ICONS.get(service.state) ?? 'sync~spin',
    context: ['service', 'logs', ...(isRunning(service) ? ['stop', 'restart'] : ['start']), ...(url ? ['open'] : [])].join(' '),
  }
}

/**
 * The URL of a service that a browser can open.
 * @param {Service} service
 */
function webUrl({ url }) {
  return url && /^https?:\/\//.test(url) ? url : undefined
}

/**
 * The text of the status bar, or undefined to hide it.
 * @param {Project[]} projects
 */
function statusBar(projects) {
  const services = projects.flatMap((one) => one.services)
  if (services.length === 0) return undefined
  const running = services.filter(isRunning)
  const failed = services.filter(({ state }) => ['failed', 'unhealthy', 'backoff'].includes(state))
  const lines = running.map(({ name, state, url }) => printable(`${name}: ${state}${url ? ` at ${url}` : ''}`))
  return {
    text: `$(${failed.length > 0 ? 'warning' : 'plug'}) ${running.length}/${services.length}`,
    tooltip: ['Services of Portway', ...lines].join('\n'),
    warning: failed.length > 0,
  }
}

/**
 * Which process uses a port, as lines.
 * @param {any} found one element of `portway who --json`
 * @returns {string[]}
 */
function who({ port, state, holders, lease }) {
  const lines = holders.map((/** @type {any} */ holder) => {
    const { service, process, user } = holder
    const program = process ? `${process.command?.split(' ')[0] ?? process.name}, pid ${process.pid}` : 'a process'
    if (service) return `Port ${port} is used by ${service.service} of ${service.instance} in ${service.directory} (${program}).`
    return `Port ${port} is used by ${program} of ${user ?? 'another user'}${process?.directory ? ` in ${process.directory}` : ''}.`
  })
  if (lines.length === 0) {
    lines.push(state === 'free' ? `Port ${port} is free.` : `Port ${port} is ${state}.`)
  }
  if (lease && !holders.some((/** @type {any} */ { service }) => service?.id === lease.id)) {
    lines.push(`It is leased to ${lease.service} of ${lease.instance} in ${lease.directory}.`)
  }
  return lines.map(printable)
}

module.exports = { fromStatus, isRunning, project, projectItem, serviceItem, statusBar, webUrl, who }
