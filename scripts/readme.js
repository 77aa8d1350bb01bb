// Writes the tables of README.md anew from the tables in lib/; run after a build.
import { readFileSync, writeFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { optionTable } from '../dist/options.js'
import { errorTable } from '../dist/errors.js'
import { tlsTable } from '../dist/transport/tls-options.js'
import { websocketTable } from '../dist/transport/websocket-options.js'
import { limits } from './limits.js'

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('%s', '…')
const literal = (value) => `\`${inspect(value)}\``

const options = (table) => [
  '| option | default | allowed | configuration key | meaning |',
  '| --- | --- | --- | --- | --- |',
  ...Object.entries(table).map(([name, { default: value, check, key, live, doc }]) =>
    `| \`${name}\` | ${literal(value)} | ${cell(check.allowed)} | ${key === undefined ? '' : `\`${key}\``}${live ? ' (live)' : ''} | ${cell(doc)} |`)
]

const errors = [
  '| code | meaning | what the client gets |',
  '| --- | --- | --- |',
  ...Object.entries(errorTable).map(([code, { text, wire, fatal }]) => {
    const line = wire === undefined ? '' : `\`-ERR '${cell(wire)}'\``
    const client = code.match(/BROKER|CLOSED|CONFIG|LISTEN|OPTION|REDIS|SUBSCRIBE$/) ? '' : [line, fatal ? 'closed' : ''].filter(Boolean).join(', ')
    return `| \`${code}\` | ${text === '%s' ? 'says it itself' : cell(text)} | ${client} |`
  })
]

const limitRows = [
  '| limit | default | option | beyond it |',
  '| --- | --- | --- | --- |',
  ...limits.map(({ limit, option, value, exceeding }) => `| ${limit} | \`${value}\` | ${option === '' ? '' : `\`${option}\``} | ${cell(exceeding)} |`)
]

function replace (text, name, lines) {
  const pattern = new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- /${name} -->)`)
  if (!pattern.test(text)) throw new Error(`README.md has no part '${name}'`)
  return text.replace(pattern, (_, begin, end) => `${begin}${lines.join('\n')}\n${end}`)
}

const file = new URL('../README.md', import.meta.url)
let text = readFileSync(file, 'utf8')
text = replace(text, 'options', options(optionTable))
text = replace(text, 'tls', options(tlsTable))
text = replace(text, 'websocket', options(websocketTable))
text = replace(text, 'limits', limitRows)
text = replace(text, 'errors', errors)
writeFileSync(file, text)
