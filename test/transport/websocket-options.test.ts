import t from 'tap'
import { originOf } from '../../lib/transport/websocket-origin.ts'
import type { WebsocketOptions } from '../../lib/options/websocket.ts'
import { resolveWebsocket } from '../../lib/transport/websocket-options.ts'
import { cookiesOf } from '../../lib/transport/websocket-request.ts'

const noTls = true

t.test('defaults', async (t) => {
  t.match(resolveWebsocket({ port: 0, noTls }), {
    path: null, host: '0.0.0.0', port: 0, tls: null, sameOrigin: false, allowedOrigins: null, handshakeTimeout: 2000, compression: false, cookies: { jwt: null, user: null, pass: null, auth_token: null }
  })
  t.match(resolveWebsocket({ path: '/nats', jwtCookie: 'jwt', tokenCookie: '__Host-t' }), { path: '/nats', port: null, cookies: { jwt: 'jwt', auth_token: '__Host-t' } })
  t.equal(resolveWebsocket({ path: '/nats', allowedOrigins: [] }).allowedOrigins, null)
})

const wrong: [string, object, RegExp][] = [
  ['no place', {}, /'websocket' is without a place/],
  ['two places', { path: '/nats', port: 8080, noTls }, /'websocket' is in two places/],
  ['a port without TLS', { port: 8080 }, /'websocket\.tls'.*noTls/],
  ['TLS beside a path', { path: '/nats', tls: {} }, /'websocket\.tls'.*beside 'path'/],
  ['TLS without a certificate', { port: 8080, tls: {} }, /'websocket\.tls' is incomplete/],
  ['TLS that is none', { port: 8080, tls: true }, /'websocket\.tls' is true/],
  ['a path without /', { path: 'nats' }, /'websocket\.path'/],
  ['a path with a query', { path: '/nats?x' }, /'websocket\.path'/],
  ['a port beyond all', { port: 65_536, noTls }, /'websocket\.port' is 65536/],
  ['an origin without a scheme', { port: 0, noTls, allowedOrigins: ['example.com'] }, /'websocket\.allowedOrigins'/],
  ['an origin of another scheme', { port: 0, noTls, allowedOrigins: ['ws://example.com'] }, /'websocket\.allowedOrigins'/],
  ['an origin without a host', { port: 0, noTls, allowedOrigins: ['http://'] }, /'websocket\.allowedOrigins'/],
  ['no time', { port: 0, noTls, handshakeTimeout: 0 }, /'websocket\.handshakeTimeout' is 0/],
  ['a cookie with a space', { port: 0, noTls, jwtCookie: 'a b' }, /'websocket\.jwtCookie'/],
  ['an unknown option', { port: 0, noTls, mask: false }, /'websocket\.mask'/]
]
for (const [name, options, message] of wrong) {
  t.test(`refuses ${name}`, async (t) => {
    t.throws(() => resolveWebsocket(options as WebsocketOptions), message)
  })
}

t.test('origins in one way of writing', async (t) => {
  t.equal(originOf('HTTPS://Example.com'), 'https://example.com:443')
  t.equal(originOf('http://example.com:80/path'), 'http://example.com:80')
  t.equal(originOf('http://[::1]:8080'), 'http://[::1]:8080')
  for (const none of ['null', '', 'example.com', 'file:///x', 'http://']) t.equal(originOf(none), null, none)
})

t.test('cookies as Go reads them', async (t) => {
  const read = (header: string | undefined): Record<string, string> => Object.fromEntries(cookiesOf(header))
  t.strictSame(read(undefined), {})
  t.strictSame(read('a=1; b="2 3";c=4,5 ; d=; e=x=y'), { a: '1', b: '2 3', c: '4,5', d: '', e: 'x=y' })
  t.strictSame(read('a=1; a=2'), { a: '2' })
  t.strictSame(read('a=\xe9; b=x\\y; c="open; lone; =v'), { '': 'v' })
  t.strictSame(read('__proto__=x').toString, {}.toString)
})
