'use strict'

/**
 * A failure with what failed, where, and what to do about it.
 */
class PortwayError extends Error {
  /**
   * @param {string} code the code of the error, which does not change between versions
   * @param {string} message what failed, and where
   * @param {string[]} [hints] what to do about it
   */
  constructor(code, message, hints = []) {
    super([message, ...hints.map((hint) => `help: ${hint}`)].map(printable).join('\n'))
    this.name = 'PortwayError'
    this.code = code
    this.hints = hints
  }
}

// Replaces characters that would control a terminal. Names of processes and directories can contain them.
function printable(text) {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd')
}

module.exports = { PortwayError, printable }
