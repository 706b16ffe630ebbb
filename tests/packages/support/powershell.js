// Parses a script of PowerShell, without PowerShell.

import { readFileSync } from 'node:fs'
import v8 from 'node:v8'

import treeSitter from '@vscode/tree-sitter-wasm'

import { program } from './sandbox.js'

// Optimizing the grammar takes far longer than the script.
v8.setFlagsFromString('--liftoff-only')

const { Language, Parser } = treeSitter
const wasm = (name) => program(`@vscode/tree-sitter-wasm/wasm/${name}.wasm`)

// Returns the lines with an error.
export async function parsePowerShell(text) {
  await Parser.init({ locateFile: () => wasm('tree-sitter') })
  const parser = new Parser()
  parser.setLanguage(await Language.load(readFileSync(wasm('tree-sitter-powershell'))))
  const tree = parser.parse(text)
  const lines = []
  const visit = (node) => {
    if (node.isError || node.isMissing) lines.push(text.split('\n')[node.startPosition.row])
    node.children.forEach(visit)
  }
  visit(tree.rootNode)
  return lines
}
