import { dashed, flagRows, isShort } from './flags.ts'
import type { FlagRow } from './flags.ts'

function line ({ names, value, doc }: FlagRow): string {
  const indent = names.some(isShort) ? '    ' : '        '
  const left = `${indent}${names.map(dashed).join(', ')}${value === undefined ? '' : ` <${value}>`}`
  return `${left.padEnd(36)} ${doc}`
}

/** The text that `--help` shows, in the form of nats-server's. */
export function usage (): string {
  const groups = new Map<string, string[]>()
  const others: string[] = []
  for (const [, row] of flagRows) {
    if (row.group === undefined) others.push(...row.names.map(dashed))
    else groups.set(row.group, [...groups.get(row.group) ?? [], line(row)])
  }
  const options = [...groups].map(([group, lines]) => `${group} Options:\n${lines.join('\n')}\n`)
  return `
Usage: aedes-nats [options]

${options.join('\n')}
Every option with a long name can come from the environment: AEDES_NATS_MQTT_PORT=0
is --mqtt-port 0. A flag wins over its variable, a variable over the configuration file.

Known from nats-server and accepted without effect:
${wrap(others)}
`
}

function wrap (words: readonly string[]): string {
  const lines: string[] = []
  let current = ''
  for (const word of words) {
    if (current.length + word.length > 80) {
      lines.push(current)
      current = ''
    }
    current += current === '' ? `    ${word}` : ` ${word}`
  }
  return [...lines, current].join('\n')
}
