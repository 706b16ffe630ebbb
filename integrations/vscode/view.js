// The tree of projects and services.
'use strict'

const vscode = require('vscode')
const { projectItem, serviceItem } = require('./lib/model.js')

/**
 * @typedef {import('./lib/model.js').Project} Project
 * @typedef {import('./lib/model.js').Service} Service
 * @typedef {{ project: Project, service?: Service }} Node
 */

/** @implements {vscode.TreeDataProvider<Node>} */
class ServicesView {
  #changed = new vscode.EventEmitter()
  onDidChangeTreeData = this.#changed.event

  /** @param {import('./lib/workspace.js').Workspace} workspace */
  constructor(workspace) {
    this.workspace = workspace
  }

  update() {
    this.#changed.fire(undefined)
  }

  /** @param {Node} [node] @returns {Node[]} */
  getChildren(node) {
    if (!node) return this.workspace.projects.map((project) => ({ project }))
    return node.service ? [] : node.project.services.map((service) => ({ project: node.project, service }))
  }

  /** @param {Node} node */
  getTreeItem({ project, service }) {
    const { label, description, tooltip, icon, context } = service ? serviceItem(service) : projectItem(project)
    const { None, Expanded } = vscode.TreeItemCollapsibleState
    const item = new vscode.TreeItem(label, service ? None : Expanded)
    item.id = service ? `${project.directory}\0${service.name}` : project.directory
    item.description = description
    item.tooltip = tooltip || undefined
    item.contextValue = context
    item.iconPath = new vscode.ThemeIcon(icon)
    return item
  }
}

module.exports = { ServicesView }
