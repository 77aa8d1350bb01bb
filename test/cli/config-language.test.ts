import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { parseConfig } from '../../lib/cli/config-parser.ts'
import { NatsError } from '../../lib/errors.ts'
import { plainBlock } from './tree.ts'
import type { Plain } from './tree.ts'

// A random tree, written down in random notations and read back.

type Pick = (choices: readonly string[]) => string

interface Written {
  readonly value: Plain
  readonly write: (pick: Pick, depth: number) => string
}

const blank = ['', ' ', '\t', '   ']
const spaces = [' ', '\t', '  ']
const lines = ['\n', '\r\n', '\n\n', ' # a comment: { [ "\n', '\t// another } ]\n']

function escape (text: string): string {
  return text.replace(/["\\\t\n\r]/g, (c) => ({ '"': '\\"', '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[c] ?? c)
}

function hex (text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

const bareWord = fc.stringMatching(/^[a-zA-Zé_/>*][\w.>*:/#=@(){[-]{0,12}$/)
  .filter((word) => !/^(?:true|false|yes|no|on|off)$/i.test(word) && !word.startsWith('//'))

const string: fc.Arbitrary<Written> = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((value) => ({
    value,
    write: (pick: Pick) => {
      const notations = [`"${escape(value)}"`, `"${hex(value)}"`]
      if (!value.includes("'")) notations.push(`'${value}'`)
      return pick(notations)
    }
  })),
  bareWord.map((value) => ({ value, write: (pick: Pick) => pick([value, `"${value}"`, `'${value}'`]) }))
)

const integer: fc.Arbitrary<Written> = fc.tuple(fc.integer({ min: -2000, max: 2000 }), fc.constantFrom(
  ['', 1], ['k', 1e3], ['K', 1e3], ['kb', 1024], ['KiB', 1024], ['Ki', 1024], ['m', 1e6], ['MB', 2 ** 20], ['g', 1e9], ['GiB', 2 ** 30], ['tb', 2 ** 40], ['p', 1e15]
)).map(([count, [unit, size]]) => ({ value: count === 0 ? 0 : count * Number(size), write: () => `${count}${unit}` }))

const float: fc.Arbitrary<Written> = fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: 0, max: 9999 }))
  .map(([whole, part]) => ({ value: Number(`${whole}.${part}`), write: () => `${whole}.${part}` }))

const boolean: fc.Arbitrary<Written> = fc.boolean().map((value) => ({
  value,
  write: (pick) => pick(value ? ['true', 'yes', 'on', 'TRUE', 'Yes'] : ['false', 'no', 'off', 'OFF', 'False'])
}))

const date: fc.Arbitrary<Written> = fc.date({ min: new Date('1970-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
  .map((value) => new Date(Math.floor(value.getTime() / 1000) * 1000))
  .map((value) => ({ value, write: () => value.toISOString().replace('.000Z', 'Z') }))

const key = fc.oneof(fc.stringMatching(/^[a-zA-Z_$][\w.$-]{0,8}$/), fc.stringMatching(/^[a-z0-9 #=:{}[\],;>*]{1,6}$/))
  .filter((name) => name.toLowerCase() !== 'include' && name !== '__proto__')

function writeKey (name: string, pick: Pick): string {
  const notations = [`"${name}"`, `'${name}'`]
  if (/^[a-zA-Z_$][\w.$-]*$/.test(name)) notations.push(name, name, name)
  return pick(notations)
}

function writeEntries (entries: readonly (readonly [string, Written])[], pick: Pick, depth: number, separators: readonly string[]): string {
  const written = entries.map(([name, node]) => {
    const separator = pick([':', '=', ' :', '= ', ' = ', ':\t', ' '])
    return writeKey(name, pick) + separator + pick(blank) + node.write(pick, depth + 1)
  })
  return written.map((entry, i) => i === written.length - 1 ? entry : entry + pick(separators) + pick(blank)).join('')
}

const tree = fc.letrec<{ node: Written, block: Written, array: Written }>((tie) => ({
  node: fc.oneof({ maxDepth: 4 }, string, integer, float, boolean, date, tie('block'), tie('array')),
  array: fc.array(tie('node'), { maxLength: 4 }).map((items) => ({
    value: items.map((item) => item.value),
    write: (pick, depth) => {
      const inner = items.map((item) => item.write(pick, depth + 1)).reduce((text, item) => text === '' ? item : text + pick([',', ', ', ' ,\n', ...lines]) + item, '')
      const gap = [...spaces, ...lines]
      return `[${pick(gap)}${inner}${pick(items.length === 0 ? gap : [...gap, ',', ',\n'])}]`
    }
  })),
  block: fc.uniqueArray(fc.tuple(key, tie('node')), { selector: ([name]) => name, maxLength: 4 }).map((entries) => ({
    value: Object.fromEntries(entries.map(([name, node]) => [name, node.value])),
    write: (pick, depth) => {
      const gap = [...spaces, ...lines]
      return `{${pick(gap)}${writeEntries(entries, pick, depth, [',', ', ', ';', '; ', ...lines])}${pick(entries.length === 0 ? gap : [...gap, ',', ';'])}}`
    }
  }))
}))

const roots = fc.uniqueArray(fc.tuple(key, tree.node), { selector: ([name]) => name, maxLength: 5 })

/** Chooses by numbers that fast-check can shrink: all of them 0 is the plainest notation. */
function picker (choices: readonly number[]): Pick {
  let next = 0
  return (from) => from[(choices[next++ % choices.length] ?? 0) % from.length] ?? ''
}

t.test('what is written in any notation is read as it was meant', async () => {
  fc.assert(fc.property(roots, fc.array(fc.nat({ max: 59 }), { minLength: 1, maxLength: 60 }), fc.boolean(), (entries, choices, wrapped) => {
    const pick = picker(choices)
    const body = writeEntries(entries, pick, 0, [',', ', ', ';', ...lines])
    const text = wrapped ? `${pick(lines)}{${pick(spaces)}${body}\n}${pick(['', '\n'])}` : `${pick(['', '\n', '# x\n'])}${body}${pick(['', '\n', ' # end'])}`
    assert.deepEqual(plainBlock(parseConfig(text, 'x', {})), Object.fromEntries(entries.map(([name, node]) => [name, node.value])), text)
  }), { numRuns: 2000 })
})

t.test('whatever is in the file, there is a tree or an error with file and line', async () => {
  const pieces = fc.constantFrom('a', 'b: 1', '{', '}', '[', ']', '(', ')', '\n)\n', '"', "'", '\\', '\\x4', ',', ';', ':', '=', ' ', '\n', '\r\n', '#', '//', '/', '$a', '$X', '-', '.', '1', '1.5', '12MB', '2026-', 'include ', 'true', 'é', '\uFEFF', '\0')
  fc.assert(fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
    try {
      parseConfig(parts.join(''), 'x.conf', { X: '[1, {y: $X}' })
      return true
    } catch (error) {
      return error instanceof NatsError && error.code === 'NATS_ERR_CONFIG' && /^(?:x\.conf|[^:]+):\d+: ./.test(error.message)
    }
  }), { numRuns: 20000 })
})
