import t from 'tap'
import { loadConfig, parseConfig } from '../../lib/cli/config-parser.ts'
import type { Environment } from '../../lib/cli/config-parser.ts'
import { NatsError } from '../../lib/errors.ts'
import { plainBlock } from './tree.ts'

function parse (text: string, environment: Environment = {}): unknown {
  return plainBlock(parseConfig(text, 'nats.conf', environment))
}

function failure (text: string, environment: Environment = {}): string {
  try {
    parse(text, environment)
  } catch (error) {
    if (error instanceof NatsError && error.code === 'NATS_ERR_CONFIG') return error.message
    throw error
  }
  return 'no error'
}

t.test('keys and values are separated by colon, equals sign or blank', async (t) => {
  for (const text of ['a: 1', 'a = 1', 'a 1', 'a:1', 'a=1', 'a\t=\t1', 'a :1', '"a": 1', "'a' 1", 'a\n1', '\uFEFFa: 1', 'a: 1\r\n', '  a: 1  ']) {
    t.strictSame(parse(text), { a: 1 }, JSON.stringify(text))
  }
})

t.test('entries end with a line, a comma or a semicolon', async (t) => {
  for (const text of ['a: 1\nb: 2', 'a: 1, b: 2', 'a: 1; b: 2', 'a: 1;\n\n\nb: 2;\n', 'a: 1 # c\nb: 2 // d', 'a: 1 // c\r\nb: 2', '{a: 1, b: 2}', '{\n"a": 1,\n"b": 2\n}\n', '{a: 1} {b: 2}', '{{a: 1}\n b: 2}']) {
    t.strictSame(parse(text), { a: 1, b: 2 }, JSON.stringify(text))
  }
  t.strictSame(parse(' # nothing\n// at all'), {})
  t.strictSame(parse(''), {})
})

t.test('a key given twice has its last value', async (t) => {
  t.strictSame(parse('a: 1\na: 2'), { a: 2 })
})

t.test('blocks nest, with or without a separator in front', async (t) => {
  t.strictSame(parse('a { b: { c = 1 }, d [] \n e: 1;\n }\nf { }'), { a: { b: { c: 1 }, d: [], e: 1 }, f: {} })
  t.strictSame(parse('a {\n  b:\n  1\n  c\n  x\n}'), { a: { b: 1, c: 'x' } })
  t.strictSame(parse('a { # comment\n // another\n b: 1 # third\n}'), { a: { b: 1 } })
})

t.test('the elements of arrays are separated by commas or lines', async (t) => {
  t.strictSame(parse('a: [1, 2,3]\nb: [\n1\n\n2 # two\n // three\n 3,\n]\nc: []\nd: [[1], {x: 1}\n{y: 2}]'),
    { a: [1, 2, 3], b: [1, 2, 3], c: [], d: [[1], { x: 1 }, { y: 2 }] })
})

t.test('strings are quoted, raw, bare or in parentheses', async (t) => {
  t.strictSame(parse('a: "x\\ty\\n\\r\\"\\\\ \\x41\\xc3\\xa9 \'q\' # no comment"'), { a: 'x\ty\n\r"\\ Aé \'q\' # no comment' })
  t.strictSame(parse("a: 'x\\n \"q\"\n# y'"), { a: 'x\\n "q"\n# y' })
  t.strictSame(parse('a: "two\nlines", b: é€'), { a: 'two\nlines', b: 'é€' })
  t.strictSame(parse('a: foo.bar>*{(:=/[x"y#z\nb: a\\tb\nc: a\\x20b'), { a: 'foo.bar>*{(:=/[x"y#z', b: 'a\tb', c: 'a b' })
  t.strictSame(parse('a: (\nx (y)\n  )\n)\nb: 1'), { a: '\nx (y)\n  )\n', b: 1 })
  t.strictSame(parse('a: (\n)'), { a: '\n' })
  t.strictSame(parse('a: ""\nb: \'\''), { a: '', b: '' })
})

t.test('numbers, sizes, booleans and dates have their own types', async (t) => {
  t.strictSame(parse('a: 0, b: -1, c: 1.5, d: -0.25, e: 007'), { a: 0, b: -1, c: 1.5, d: -0.25, e: 7 })
  t.strictSame(parse('a: 1k, b: 1K, c: 1kb, d: 2KiB, e: 1ki, f: 1m, g: 1MB, h: 1g, i: 1GiB, j: 1t, k: 1p, l: -1e'),
    { a: 1000, b: 1000, c: 1024, d: 2048, e: 1024, f: 1e6, g: 1048576, h: 1e9, i: 2 ** 30, j: 1e12, k: 1e15, l: -1e18 })
  t.strictSame(parse('a: true, b: YES, c: On, d: false, e: no, f: OFF'), { a: true, b: true, c: true, d: false, e: false, f: false })
  t.strictSame(parse('a: 2026-11-23T06:04:11Z'), { a: new Date('2026-11-23T06:04:11Z') })
})

t.test('durations, addresses and other words that begin with a digit are strings', async (t) => {
  t.strictSame(parse('a: 10s, b: 1h30, c: 127.0.0.1:4222, d: 127.0.0.1, e: 4222abc, f: 1MBx, g: 1s-2'),
    { a: '10s', b: '1h30', c: '127.0.0.1:4222', d: '127.0.0.1', e: '4222abc', f: '1MBx', g: '1s-2' })
})

t.test('names of Object.prototype are words like others', async (t) => {
  const root = parseConfig('constructor: toString\n__proto__: constructor\na: __proto__', 'x', {})
  t.strictSame([...root].map(([key, { kind, value }]) => [key, kind, value]), [['constructor', 'string', 'toString'], ['__proto__', 'string', 'constructor'], ['a', 'string', '__proto__']])
  t.match(failure('a: $constructor'), /variable \$constructor is not set/)
})

t.test('long texts that do not end take no long time', async (t) => {
  const long = 'x'.repeat(200_000)
  for (const quote of ['"', "'", '(', '"\\']) t.match(failure(`a: ${quote}${long}`), /does not end/)
  t.match(failure(`a: [${long}`), /does not end/)
  t.match(failure(`a: ${'['.repeat(200_000)}`), /more than 200 blocks and arrays inside each other/)
  t.match(failure('a {'.repeat(100_000)), /more than 200 blocks/)
  t.strictSame(parse(`a: "${long}\\n", b: ${long}\\t${long}`), { a: `${long}\n`, b: `${long}\t${long}` })
})

t.test('every value knows its key, file and line', async (t) => {
  const root = parseConfig('a: 1\n\nb {\n  c: [\n    x\n    y\n  ] }\nd: "1\n2"\ne: 2', 'dir/nats.conf', {})
  const at = (node: unknown): unknown => ({ name: (node as { name: string }).name, line: (node as { line: number }).line, file: (node as { file: string }).file })
  t.same(at(root.get('a')), { name: 'a', line: 1, file: 'dir/nats.conf' })
  const b = root.get('b')
  t.same(at(b), { name: 'b', line: 3, file: 'dir/nats.conf' })
  const c = b?.kind === 'block' ? b.value.get('c') : undefined
  t.same(at(c), { name: 'c', line: 4, file: 'dir/nats.conf' })
  t.same(c?.kind === 'array' ? c.value.map(at) : [], [{ name: 'c', line: 5, file: 'dir/nats.conf' }, { name: 'c', line: 6, file: 'dir/nats.conf' }])
  t.same(at(root.get('d')), { name: 'd', line: 8, file: 'dir/nats.conf' })
  t.same(at(root.get('e')), { name: 'e', line: 10, file: 'dir/nats.conf' })
})

t.test('syntax errors name file and line', async (t) => {
  const rows: [string, number, RegExp][] = [
    ['a: 1\nb', 2, /expected a value for 'b', not the end of the file/],
    ['a:\n1', 1, /expected a value for 'a', not the end of the line/],
    ['a: ,', 1, /expected a value for 'a', not ','/],
    ['a { b: }', 1, /expected a value for 'b', not '}'/],
    ['a { b: , c: 1 }', 1, /expected a value for 'b'/],
    ['a: 1 b: 2', 1, /expected the value to end, not 'b'/],
    ['a: "x" y', 1, /expected the value to end, not 'y'/],
    ["a: it's", 1, /expected the value to end/],
    ['\n: 1', 2, /expected a key, not ':'/],
    ['a: 1\n, b: 2', 2, /expected a key, not ','/],
    ['a: 1\n"b', 2, /expected a key, not '"'/],
    ['a: 1]', 1, /expected the value to end, not ']'/],
    ['a: [1 2]', 1, /expected the value to end, not '2'/],
    ['a: [1; 2]', 1, /expected the value to end, not ';'/],
    ['a: [1\n, 2]', 2, /expected a value for 'a', not ','/],
    ['a: [\n1', 2, /the array that begins on line 1 does not end/],
    ['x: 1\na {\nb: 1', 3, /the block that begins on line 2 does not end/],
    ['{\na: 1', 2, /the block that begins on line 1 does not end/],
    ['a: 1\n}\nb: 2', 2, /a '}' without its '{'/],
    ['a: "x\ny', 1, /the quoted text does not end/],
    ["a: 'x\ny", 1, /the quoted text does not end/],
    ['a: (\nx\n )\n', 1, /the text in parentheses does not end/],
    ['a: "x\\q"', 1, /unknown escape/],
    ['a: x\\q', 1, /unknown escape/],
    ['a: "\\x4"', 1, /unknown escape/],
    ['\n\na: .5', 3, /no number, date or address/],
    ['a: -x', 1, /no number, date or address/],
    ['a: -\\n', 1, /no number, date or address/],
    ['a: 1.', 1, /no number, date or address/],
    ['a: 1.5MB', 1, /no number, date or address/],
    ['a: 10-a', 1, /no number, date or address/],
    ['a: 2026-11-23', 1, /no number, date or address/],
    ['a: 2026-02-30T00:00:00Z', 1, /no date/],
    ['a: 2026-13-30T00:00:00Z', 1, /no date/],
    ['a: 1kbb', 1, /no size unit/],
    ['a: 9223372036854775808', 1, /out of range/],
    ['a: -9223372036854775809', 1, /out of range/],
    ['a: 99eb', 1, /out of range/]
  ]
  for (const [text, line, expected] of rows) {
    const message = failure(text)
    t.match(message, expected, JSON.stringify(text))
    t.ok(message.startsWith(`nats.conf:${line}: `), message)
  }
})

t.test('a brace too many at the end is let through, as nats-server does', async (t) => {
  t.strictSame(parse('a: 1}'), { a: 1 })
  t.strictSame(parse('a: 1\n}\n # end\n'), { a: 1 })
})

t.test('variables are those of the file, innermost block first, then those of the environment', async (t) => {
  t.strictSame(parse('a: 1\nb: $a'), { a: 1, b: 1 })
  t.strictSame(parse('a: 1\nb { a: 2, c: $a, d { e: [$a] } }\nf: $a'), { a: 1, b: { a: 2, c: 2, d: { e: [2] } }, f: 1 })
  t.strictSame(parse('a { x: [1] }\nb: $a'), { a: { x: [1] }, b: { x: [1] } })
  t.strictSame(parse('a: $X', { X: '1MB' }), { a: 1048576 })
  t.strictSame(parse('a: $X, b: $X', { X: ' "x y" # why' }), { a: 'x y', b: 'x y' })
  t.strictSame(parse('X: 2\na: $X', { X: '1' }), { X: 2, a: 2 })
  t.strictSame(parse('a: $A', { A: '$B', B: '[yes]' }), { a: [true] })
  t.strictSame(parse('a: $A', { A: '' }), { a: '' })
})

t.test('a value from a variable stands where the reference stands', async (t) => {
  const root = parseConfig('A: 1\n\nb: $A\nc: $X', 'nats.conf', { X: '2' })
  t.match(root.get('A'), { line: 1, used: true })
  t.match(root.get('b'), { name: 'b', line: 3, used: false })
  t.match(root.get('c'), { name: 'c', line: 4, used: false })
})

t.test('bcrypted passwords are no variables', async (t) => {
  t.strictSame(parse('a: $2a$11$abc, b: "$2a$11$abc", c: \'$x\', d: "$y"'), { a: '$2a$11$abc', b: '$2a$11$abc', c: '$x', d: '$y' })
  t.match(failure('a: $2b$11$abc'), /^nats\.conf:1: the variable \$2b\$11\$abc is not set; .* quotes/)
})

t.test('errors of variables name the place of the reference', async (t) => {
  t.equal(failure('\na: $X').startsWith('nats.conf:2: the variable $X is not set'), true)
  t.equal(failure('a: $b\nb: 1').startsWith('nats.conf:1: the variable $b is not set'), true, 'a later key is none')
  t.equal(failure('a: $a').startsWith('nats.conf:1: the variable $a is not set'), true)
  t.equal(failure('\na: $A', { A: '$B', B: '$A' }), 'nats.conf:2: in the variable $B: the variable $A refers to itself')
  t.equal(failure('a: $A', { A: '$A' }), 'nats.conf:1: in the variable $A: the variable $A refers to itself')
  t.equal(failure('\na: $A', { A: 'x y' }), "nats.conf:2: in the variable $A: expected the value to end, not 'y'")
  t.equal(failure('a: $A', { A: '[1' }), 'nats.conf:1: in the variable $A: the array that begins on line 1 does not end')
})

t.test('files include each other', async (t) => {
  const dir = t.testdir({
    'main.conf': 'x: 1\ninclude sub/a.conf\nb { include "c d.conf"; y: 1 }\ninclude \'e.conf\'\nz: $E\n',
    sub: { 'a.conf': 'INCLUDE ../f.conf\na: 2\n' },
    'c d.conf': 'c: 3',
    'e.conf': 'E: 4',
    'f.conf': 'f: 5'
  })
  const root = loadConfig(`${dir}/main.conf`, {})
  t.strictSame(plainBlock(root), { x: 1, f: 5, a: 2, b: { c: 3, y: 1 }, E: 4, z: 4 })
  t.match(root.get('f'), { file: `${dir}/f.conf`, line: 1 })
  t.match(root.get('a'), { file: `${dir}/sub/a.conf`, line: 2 })
  t.strictSame(parse('include: 1\n"include" 2'), { include: 2 }, 'a key of that name is none')
})

t.test('what cannot be included is an error at the including line', async (t) => {
  const dir = t.testdir({
    'missing.conf': 'a: 1\ninclude nope.conf\n',
    'self.conf': '\ninclude "self.conf"',
    'a.conf': 'include b.conf',
    'b.conf': 'x: 1\ninclude ./a.conf # again',
    'bad.conf': '\n\ninclude wrong.conf',
    'wrong.conf': 'x: 1\ny: .',
    'scope.conf': 'a: 1\ninclude scoped.conf',
    'scoped.conf': 'b: $a',
    'folder.conf': 'include folder',
    folder: {}
  })
  const load = (name: string) => () => loadConfig(`${dir}/${name}`, {})
  t.throws(load('missing.conf'), { code: 'NATS_ERR_CONFIG', message: `${dir}/missing.conf:2: cannot include ${dir}/nope.conf: ENOENT` })
  t.throws(load('self.conf'), { message: `${dir}/self.conf:2: ${dir}/self.conf includes itself` })
  t.throws(load('a.conf'), { message: `${dir}/b.conf:2: ${dir}/a.conf includes itself` })
  t.throws(load('bad.conf'), { message: `${dir}/wrong.conf:2: . is no number` })
  t.throws(load('scope.conf'), { message: `${dir}/scoped.conf:1: the variable $a is not set` })
  t.throws(load('folder.conf'), { message: `${dir}/folder.conf:1: cannot include ${dir}/folder: EISDIR` })
  for (const word of ['[x]', '{x}', '(x)', '12', '-x', '\\x', ';', '\n', '"x', '']) {
    t.match(failure(`include ${word}`), /^nats\.conf:1: expected a file to include/, word)
  }
})

t.test('a file that cannot be read is an error', async (t) => {
  t.throws(() => loadConfig('/nowhere/nats.conf', {}), { code: 'NATS_ERR_CONFIG', message: "cannot read the configuration file: ENOENT: no such file or directory, open '/nowhere/nats.conf'" })
})
