import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import t from 'tap'
import { errorTable, NatsError, type ErrorCode } from '../lib/errors.ts'
import { tlsTable } from '../lib/transport/tls-options.ts'
import { websocketTable } from '../lib/transport/websocket-options.ts'
import { type GatewayOptions, optionTable, parseAddress, resolveOptions } from '../lib/options.ts'

t.test('every option has a default that it allows', async (t) => {
  const options = resolveOptions({})
  for (const [name, row] of Object.entries(optionTable)) {
    t.ok(row.check.test(row.default), name)
    if (name !== 'logger') t.equal(options[name as keyof typeof options], row.default, name)
  }
  t.ok(Object.isFrozen(options))
  t.strictSame(resolveOptions({ port: undefined } as unknown as GatewayOptions).port, 4222)
})

t.test('a wrong value names the option, the value and what is allowed', async (t) => {
  const wrong: [string, unknown, RegExp][] = [
    ['port', 70_000, /option 'port' is 70000: allowed is a whole number from 0 to 65535/],
    ['port', '4222', /option 'port' is "4222": /],
    ['port', 1.5, /1\.5/],
    ['host', '', /option 'host' is "": allowed is a string of printable characters/],
    ['host', 'a\nb', /printable/],
    ['headers', 1, /option 'headers' is 1: allowed is true or false/],
    ['maxPayload', 0, /from 1 to 999999999/],
    ['maxPending', 10, /option 'maxPending' is 10: allowed is at least maxPayload, 1048576/],
    ['clientAdvertise', 'a b', /'host:port'/],
    ['logger', {}, /option 'logger' is an object: allowed is an object with pino's methods/],
    ['logger', null, /option 'logger' is null/],
    ['pingInterval', Infinity, /Infinity/],
    ['plainNodes', 'maybe', /option 'plainNodes' is "maybe": allowed is true, false or 'auto'/],
    ['queue', 'here', /option 'queue' is "here": allowed is 'any' or 'local'/],
    ['maxPatterns', 0, /from 1/],
    ['durable', true, /option 'durable' is true: allowed is false, or an object of subject patterns with 'reply' or 'pong' each/],
    ['durable', { 'a.*': 'ack' }, /option 'durable' is an object/],
    ['durable', { 'a..b': 'reply' }, /patterns/],
    ['durable', { 'a.>.b': 'reply' }, /patterns/],
    ['durable', ['a'], /patterns/],
    ['deadLetter', 'a.*', /option 'deadLetter' is "a\.\*": allowed is a subject without wildcards/],
    ['maxAckPending', 0, /from 1/],
    ['expiry', 10, /from 1000/],
    ['redis', 'redis://host', /option 'redis' is a string: allowed is null, or an object with either 'connection'/],
    ['redis', {}, /'connection'/],
    ['redis', { url: 'http://host' }, /'url'/],
    ['redis', { url: 'redis://host', prot: 1 }, /'url'/],
    ['redis', { url: 'redis://host', packetTTL: 5 }, /'packetTTL'/],
    ['redis', { url: 'redis://host', connection: { duplicate () {} } }, /either/],
    ['redis', { connection: {} }, /'connection'/]
  ]
  for (const [name, value, message] of wrong) t.throws(() => resolveOptions({ [name]: value }), { code: 'NATS_ERR_OPTION', message }, `${name} ${String(value)}`)
  t.throws(() => resolveOptions({ prot: 1 } as GatewayOptions), { code: 'NATS_ERR_OPTION_UNKNOWN', message: /unknown option 'prot': known are host, port/ })
  t.throws(() => resolveOptions(JSON.parse('{"__proto__": 1, "constructor": 2}') as GatewayOptions), { code: 'NATS_ERR_OPTION_UNKNOWN' })
})

t.test('addresses', async (t) => {
  t.strictSame(parseAddress('me:1'), { host: 'me', port: 1 })
  t.strictSame(parseAddress('me'), { host: 'me', port: 0 })
  t.strictSame(parseAddress('[::1]:4222'), { host: '::1', port: 4222 })
  t.strictSame(parseAddress('[fe80::1%eth0]'), { host: 'fe80::1%eth0', port: 0 })
  for (const wrong of ['', ':1', 'a:b', 'a:1:2', '::1', 'a b:1', 'me:70000', '[x y]:1']) t.equal(parseAddress(wrong), null, wrong)
})

t.test('a logger with the methods of pino is taken', async (t) => {
  const nothing = (): void => {}
  const logger = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }
  t.equal(resolveOptions({ logger }).logger, logger)
  const silent = resolveOptions({ logger: false }).logger
  silent.trace({}, '')
})

t.test('the errors are those of the table', async (t) => {
  const codes = Object.keys(errorTable) as ErrorCode[]
  for (const code of codes) {
    t.match(code, /^NATS_ERR_[A-Z_]+$/)
    const error = new NatsError(code, 'one', 'two', 'three')
    t.equal(error.code, code)
    t.equal(error.name, 'NatsError')
    t.equal(error.fatal, errorTable[code].fatal)
    t.notMatch(error.message, /%s/)
    t.notMatch(error.wire ?? '', /%s/)
  }
  t.equal(new NatsError('NATS_ERR_QUEUE_DENIED', '"%s"', '"q"').wire, 'Permissions Violation for Subscription to "%s" using queue "q"')
  t.equal(new NatsError('NATS_ERR_BROKER').message, '')
})

t.test('the README has a row for every limit, with its default and what is beyond it', async (t) => {
  const script = new URL('../scripts/limits.js', import.meta.url).href
  const { limits } = await import(script) as { limits: { limit: string, option: string, value: string, exceeding: string }[] }
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const rows = (readme.split('<!-- limits -->')[1]?.split('<!-- /limits -->')[0] ?? '').trim().split('\n').slice(2)
  t.strictSame(rows, limits.map(({ limit, option, value, exceeding }) => `| ${limit} | \`${value}\` | ${option === '' ? '' : `\`${option}\``} | ${exceeding} |`))
  for (const [name, row] of Object.entries(optionTable)) {
    const found = limits.find(({ option }) => option === name)
    if (name.startsWith('max')) t.ok(found, `${name} is a limit`)
    if (found !== undefined) t.equal(found.value, String(row.default), name)
  }
})

t.test('the README has a row for every option, with its default, and for every error code', async (t) => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  for (const [part, table] of [['options', optionTable], ['tls', tlsTable], ['websocket', websocketTable]] as const) {
    const text = readme.split(`<!-- ${part} -->`)[1]?.split(`<!-- /${part} -->`)[0] ?? ''
    for (const [name, row] of Object.entries(table)) {
      const value = inspect(row.default)
      t.ok(text.includes(`| \`${name}\` | \`${value}\` |`), `option ${name} with default ${value}`)
      t.ok(text.includes(row.doc.replaceAll('|', '\\|')), `what ${name} means`)
    }
    t.equal(text.match(/^\| `/gm)?.length, Object.keys(table).length, `${part} has no other rows`)
  }
  for (const code of Object.keys(errorTable)) t.ok(readme.includes(`| \`${code}\` |`), code)
})
