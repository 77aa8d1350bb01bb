import fc from 'fast-check'
import t from 'tap'
import { checkMountpoint, mountpointOf, type MountpointValues } from '../../lib/subject/mountpoint.ts'

/* eslint-disable no-template-curly-in-string -- placeholders of the option mountpoint */

const ann: MountpointValues = { username: 'ann', clientid: 'nats:1', name: 'billing', host: '10.0.0.1' }

t.test('each placeholder stands for a value of the client', async (t) => {
  const rows: [template: string, mountpoint: string][] = [
    ['', ''],
    ['factory/', 'factory/'],
    ['/', '/'],
    ['${username}/', 'ann/'],
    ['${clientid}/', 'nats:1/'],
    ['${name}/', 'billing/'],
    ['${host}/', '10.0.0.1/'],
    ['a/${username}/b/${name}/', 'a/ann/b/billing/'],
    ['t-${username}-x/', 't-ann-x/'],
    ['${username}/${username}/', 'ann/ann/'],
    ['$tenants/${username}/', '$tenants/ann/'],
    ['x$${name}$/', 'x$billing$/'],
    ['{username}/', '{username}/']
  ]
  for (const [template, mountpoint] of rows) {
    t.equal(checkMountpoint(template), null, template)
    t.equal(mountpointOf(template, ann), mountpoint, template)
  }
})

t.test('what would leave the level of a value, or be another value, is escaped', async (t) => {
  const rows: [username: string, mountpoint: string][] = [
    ['a/b', 'a%2Fb/'], ['/', '%2F/'], ['+', '%2B/'], ['#', '%23/'], ['%', '%25/'], ['%2F', '%252F/'], ['$SYS', '%24SYS/'], ['a$', 'a$/'], ['$$', '%24$/'],
    ['\0', '%00/'], ['\n', '%0A/'], ['\x7f', '%7F/'], ['\x85', '%C2%85/'],
    ['.', './'], ['..', '../'], ['a.b', 'a.b/'], ['*', '*/'], ['>', '>/'], ['a b', 'a b/'], ['é€😀', 'é€😀/'], ['constructor', 'constructor/'], ['__proto__', '__proto__/']
  ]
  for (const [username, mountpoint] of rows) t.equal(mountpointOf('${username}/', { ...ann, username }), mountpoint, JSON.stringify(username))
  t.equal(mountpointOf('${username}-${name}/', { ...ann, username: 'a-b', name: 'c-d' }), 'a%2Db-c-d/', 'what ends a value is escaped in it')
  t.equal(mountpointOf('${username}😀${name}/', { ...ann, username: '😀', name: '😀' }), '%F0%9F%98%80😀😀/')
})

t.test('a client that lacks a value has no mountpoint', async (t) => {
  for (const name of ['username', 'clientid', 'name', 'host'] as const) {
    t.equal(mountpointOf(`x/\${${name}}/`, { ...ann, [name]: '' }), null, name)
    t.equal(mountpointOf('x/', { ...ann, [name]: '' }), 'x/')
  }
  t.equal(mountpointOf('${username}/${name}/', { ...ann, name: '' }), null)
})

t.test('what is wrong with a template is said', async (t) => {
  const rows: [template: string, wrong: string][] = [
    ['factory', 'no / at its end'],
    ['${username}', 'no / at its end'],
    ['factory/${username}', 'no / at its end'],
    ['${password}/', 'an unknown placeholder ${password}'],
    ['${}/', 'an unknown placeholder ${}'],
    ['${Username}/', 'an unknown placeholder ${Username}'],
    ['${__proto__}/', 'an unknown placeholder ${__proto__}'],
    ['${user${name}/', 'an unknown placeholder ${user${name}'],
    ['${username/', 'an open placeholder'],
    ['${username}/${', 'an open placeholder'],
    ['${username}${name}/', 'nothing between two placeholders'],
    ['${username}%${name}/', 'a % behind a placeholder'],
    ['+/', 'a wildcard or a control character'],
    ['a/#/', 'a wildcard or a control character'],
    ['a\0/', 'a wildcard or a control character'],
    ['a\x9f/', 'a wildcard or a control character'],
    ['a\ud800/', 'a wildcard or a control character'],
    ['$${username}/', 'a $ before a placeholder, which could become $SYS'],
    ['$S${username}/', 'a $ before a placeholder, which could become $SYS']
  ]
  for (const [template, wrong] of rows) t.equal(checkMountpoint(template), wrong, template)
})

const value = fc.oneof(
  { weight: 2, arbitrary: fc.string({ unit: fc.constantFrom('a', '-', '.', '%', '/', '+', '#', '$', '2', '5', 'D', '\0', '\x85', 'é', '😀'), maxLength: 4 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) }
)
const values = fc.record({ username: value, clientid: value, name: value, host: value })
const literal = fc.string({ unit: fc.constantFrom('a', '-', '.', '%', '/', '$', '2', '5', 'D', 'é', '😀'), maxLength: 2 })
const placeholder = fc.constantFrom('', '${username}', '${name}')
const template = fc.tuple(literal, placeholder, literal, placeholder, literal).map((parts) => `${parts.join('')}/`)
  .filter((template) => checkMountpoint(template) === null)

t.test('two clients whose values differ never have the same mountpoint', async (t) => {
  let both = 0
  fc.assert(fc.property(template, values, values, (template, one, other) => {
    const first = mountpointOf(template, one)
    const second = mountpointOf(template, other)
    if (first === null || first !== second) return true
    both++
    return (['username', 'name'] as const).every((key) => !template.includes(`{${key}}`) || one[key] === other[key])
  }), { numRuns: 50_000 })
  t.ok(both > 50, `${both} were the same`)
})

t.test('no mountpoint lies in another one of its template', async () => {
  fc.assert(fc.property(template, values, values, (template, one, other) => {
    const first = mountpointOf(template, one)
    const second = mountpointOf(template, other)
    return first === null || second === null || first === second || !first.startsWith(second)
  }), { numRuns: 20_000 })
})

t.test('no value adds a level, a wildcard or a control character, or makes a $ topic', async () => {
  fc.assert(fc.property(template, values, (template, values) => {
    const mountpoint = mountpointOf(template, values)
    if (mountpoint === null) return ['username', 'name'].some((key) => template.includes(`{${key}}`) && values[key as 'name'] === '')
    return mountpoint.split('/').length === template.split('/').length && mountpoint.endsWith('/') &&
      !/[+#\p{Cc}]/u.test(mountpoint) && mountpoint.startsWith('$') === /^\$(?!\{)/.test(template)
  }), { numRuns: 20_000 })
})
