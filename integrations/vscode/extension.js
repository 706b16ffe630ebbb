// What VS Code calls: commands, the view, and the status bar.
'use strict'

const vscode = require('vscode')
const { PortwayError } = require('./lib/binary.js')
const { isRunning, statusBar, webUrl, who } = require('./lib/model.js')
const { Workspace } = require('./lib/workspace.js')
const { ServicesView } = require('./view.js')

const INSTALL_URL = 'https://example.org/portway#install'

/** @typedef {import('./view.js').Node} Node */

/** @param {vscode.ExtensionContext} context */
async function activate(context) {
  // VS Code does not start the extension in a workspace that is not trusted; this is a second check.
  if (!vscode.workspace.isTrusted) return
  const bar = vscode.window.createStatusBarItem('portway.status', vscode.StatusBarAlignment.Left)
  bar.name = 'Portway'
  bar.command = 'portway.services.focus'
  const workspace = new Workspace({
    folders: () => (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === 'file').map(({ uri }) => uri.fsPath),
    path: () => vscode.workspace.getConfiguration('portway').get('path', ''),
    onUpdate: () => update(),
  })
  const view = new ServicesView(workspace)
  const update = () => {
    void vscode.commands.executeCommand('setContext', 'portway.state', workspace.state)
    view.update()
    show(bar, workspace)
  }
  const refresh = () => workspace.refresh()
  const manifests = vscode.workspace.createFileSystemWatcher('**/portway.toml')
  /** @type {[string, (...args: any[]) => unknown][]} */
  const commands = [
    ['start', (node) => change(workspace, 'up', 'Starting', node)],
    ['stop', (node) => change(workspace, 'down', 'Stopping', node)],
    ['restart', (node) => change(workspace, 'restart', 'Restarting', node)],
    ['logs', (node) => showLogs(workspace, node)],
    ['open', (node) => openUrl(workspace, node)],
    ['copyUrl', (node) => vscode.env.clipboard.writeText(webUrl(node.service) ?? '')],
    ['who', () => showOwner(workspace)],
    ['refresh', refresh],
    ['install', () => vscode.env.openExternal(vscode.Uri.parse(INSTALL_URL))],
  ]
  context.subscriptions.push(
    workspace,
    bar,
    manifests,
    manifests.onDidCreate(refresh),
    manifests.onDidChange(refresh),
    manifests.onDidDelete(refresh),
    vscode.window.registerTreeDataProvider('portway.services', view),
    vscode.workspace.onDidChangeWorkspaceFolders(refresh),
    vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration('portway') && refresh()),
    vscode.window.onDidChangeWindowState(({ focused }) => focused && refresh()),
    ...commands.map(([name, call]) => vscode.commands.registerCommand(`portway.${name}`, reportErrors(call))),
  )
  await refresh()
}

/** @param {vscode.StatusBarItem} bar @param {Workspace} workspace */
function show(bar, workspace) {
  const shown = statusBar(workspace.projects)
  if (!shown) return bar.hide()
  bar.text = shown.text
  bar.tooltip = shown.tooltip
  bar.backgroundColor = shown.warning ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined
  bar.show()
}

/** @param {(...args: any[]) => unknown} call */
function reportErrors(call) {
  return async (/** @type {any[]} */ ...args) => {
    try {
      return await call(...args)
    } catch (error) {
      await reportError(error)
    }
  }
}

/** @param {unknown} error */
async function reportError(error) {
  if (!(error instanceof PortwayError)) throw error
  if (error.code !== 'binary_missing') {
    const hint = error.hints[0] ? ` (${error.hints[0]})` : ''
    return vscode.window.showErrorMessage(`${error.message}${hint}`)
  }
  const [install, settings] = ['How to Install It', 'Set Its Path']
  const chosen = await vscode.window.showErrorMessage('Portway is not installed.', install, settings)
  if (chosen === install) return vscode.commands.executeCommand('portway.install')
  if (chosen === settings) return vscode.commands.executeCommand('workbench.action.openSettings', 'portway.path')
}

/**
 * @param {Workspace} workspace
 * @param {'up' | 'down' | 'restart'} command
 * @param {string} title
 * @param {Node} [given]
 */
async function change(workspace, command, title, given) {
  const node = given ?? (await pick(workspace, () => true, true))
  if (!node) return
  const { project, service } = node
  const location = vscode.ProgressLocation.Notification
  const options = { location, cancellable: command === 'up', title: `${title} ${service?.name ?? project.name}` }
  await vscode.window.withProgress(options, async (_progress, token) => {
    const aborted = new AbortController()
    token.onCancellationRequested(() => aborted.abort())
    try {
      await workspace.change(command, project.directory, service?.name, aborted.signal)
    } catch (error) {
      if (!aborted.signal.aborted) throw error
    }
  })
}

/** @param {Workspace} workspace @param {Node} [given] */
async function showLogs(workspace, given) {
  const node = given ?? (await pick(workspace, () => true, true))
  if (!node) return
  const { project, service } = node
  const name = `Portway: ${service?.name ?? project.name}`
  const existing = vscode.window.terminals.find((terminal) => terminal.name === name && terminal.exitStatus === undefined)
  const which = service ? ['--', service.name] : ['--all']
  const terminal =
    existing ??
    vscode.window.createTerminal({
      name,
      // A program and its arguments: no shell reads the names.
      shellPath: await workspace.findBinary(),
      shellArgs: ['-C', project.directory, 'logs', '--follow', ...which],
      iconPath: new vscode.ThemeIcon('output'),
      isTransient: true,
    })
  terminal.show()
}

/** @param {Workspace} workspace @param {Node} [given] */
async function openUrl(workspace, given) {
  const node = given ?? (await pick(workspace, (service) => isRunning(service) && webUrl(service) !== undefined))
  const url = node?.service && webUrl(node.service)
  if (url) await vscode.env.openExternal(vscode.Uri.parse(url, true))
}

/** @param {Workspace} workspace */
async function showOwner(workspace) {
  const isPort = (/** @type {string} */ text) => /^[0-9]{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65536
  const text = await vscode.window.showInputBox({
    prompt: 'Port',
    validateInput: (value) => (isPort(value) ? undefined : 'Ports go from 1 to 65535.'),
  })
  if (text === undefined) return
  const lines = who(await workspace.who(Number(text)))
  await vscode.window.showInformationMessage(lines.join('\n'))
}

/**
 * Asks for a service, or for a whole project.
 * @param {Workspace} workspace
 * @param {(service: import('./lib/model.js').Service) => boolean} matches
 * @param {boolean} [withProjects]
 * @returns {Promise<Node | undefined>}
 */
async function pick(workspace, matches, withProjects = false) {
  const items = workspace.projects.flatMap((project) => [
    ...(withProjects ? [{ label: project.name, description: 'all services', node: { project } }] : []),
    ...project.services.filter(matches).map((service) => ({
      label: service.name,
      description: project.name,
      node: { project, service },
    })),
  ])
  const chosen = await vscode.window.showQuickPick(items)
  return chosen?.node
}

module.exports = { activate }
