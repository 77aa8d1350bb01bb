import { once } from 'node:events'
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import tls from 'node:tls'
import t from 'tap'
import { connect as connectNats } from '@nats-io/transport-node'
import { CertificateAuthority } from '../helper/certificate-authority.ts'
import { scratch } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { runCommand, startServer } from '../helper/server.ts'
import { dialNats, hello } from './web-client.ts'

const authority = new CertificateAuthority(t)
const server = authority.local()
const next = authority.local('next')

/** The name in the certificate that a listener shows; `isGreeted` if INFO comes first. */
async function nameAt (port: number, isGreeted: boolean): Promise<unknown> {
  const plain = isGreeted ? await connect(t, port, null) : null
  plain?.socket.removeAllListeners('data')
  const stream = tls.connect({ host: '127.0.0.1', port, ca: authority.ca, ...plain !== null && { socket: plain.socket } })
  await once(stream, 'secureConnect')
  const { subject } = stream.getPeerCertificate()
  stream.destroy()
  return subject.CN
}

t.test('TLS by flags', async (t) => {
  const { natsUrl } = await startServer(t, ['--tlsverify', '--tlscert', server.certFile, '--tlskey', server.keyFile, '--tlscacert', authority.caFile])
  const nats = await connectNats({ servers: natsUrl, tls: { ca: authority.ca, cert: next.cert, key: next.key } })
  t.match(nats.info, { tls_required: true, tls_verify: true })
  await nats.close()
  const refused = runCommand(t, ['--tls', '-p', '-1'])
  t.equal(await refused.exit(), 1)
  t.equal(refused.output, 'aedes-nats: TLS needs a certificate with its key: --tlscert <file> --tlskey <file>\n')
})

t.test('TLS and WebSocket by file, with certificates read anew by SIGHUP', async (t) => {
  const folder = scratch(t)
  const config = path.join(folder, 'nats.conf')
  const [certFile, keyFile] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')]
  const copy = (pair: typeof server): void => {
    copyFileSync(pair.certFile, certFile)
    copyFileSync(pair.keyFile, keyFile)
  }
  copy(server)
  const files = `cert_file: "${certFile}", key_file: "${keyFile}"`
  const write = (websocket: string, rest = ''): void => { writeFileSync(config, `tls { ${files} }\nwebsocket { port: -1, tls { ${files} }, ${websocket} }\n${rest}\n`) }
  write('compression: true')
  const { process: child, natsPort } = await startServer(t, ['-c', config, '--ports_file_dir', folder])
  t.notMatch(child.output, /not obey/)
  const [, websocketPort] = await child.until(/Listening for websocket clients on 127\.0\.0\.1:(\d+)/)
  const ports = readdirSync(folder).find((name) => name.endsWith('.ports')) ?? ''
  t.match(JSON.parse(readFileSync(path.join(folder, ports), 'utf8')), { nats: [`nats://127.0.0.1:${natsPort}`], websocket: [`wss://127.0.0.1:${websocketPort}`] })

  const client = await dialNats(t, `wss://127.0.0.1:${websocketPort}`, { ca: authority.ca } as object)
  client.send(hello)
  t.equal(await client.fence(), '')
  t.equal(await nameAt(natsPort, true), 'server')
  copy(next)
  child.child.kill('SIGHUP')
  await child.until(/Reloaded server configuration/)
  t.equal(await nameAt(natsPort, true), 'next')
  t.equal(await nameAt(Number(websocketPort), false), 'next')

  write('compression: false', 'max_payload: 2000')
  copy(server)
  child.output = ''
  child.child.kill('SIGHUP')
  await child.until(/only a restart puts them into effect: websocket\.compression[^]*Reloaded/)
  t.equal(await nameAt(Number(websocketPort), false), 'server')
  t.match((await connect(t, natsPort, null)).info, { max_payload: 2000 })

  writeFileSync(keyFile, readFileSync(next.keyFile))
  child.output = ''
  child.child.kill('SIGHUP')
  await child.until(/Failed to reload server configuration: [^\n]*nats\.conf:1: option 'tls' is unusable/)
  t.equal(await nameAt(natsPort, true), 'server')
  t.equal(await client.fence(), '', 'nobody was cut off')
})

t.test('what is wrong is said with file and line', async (t) => {
  const config = path.join(scratch(t), 'nats.conf')
  writeFileSync(config, '\ntls { cert_file: "/nowhere.pem", key_file: "/nowhere.pem" }\nwebsocket { port: 1 }\n')
  const refused = runCommand(t, ['-t', '-c', config])
  t.equal(await refused.exit(), 1)
  t.match(refused.output, /nats\.conf:2: cert_file is "\/nowhere\.pem" \(ENOENT[^]*nats\.conf:3: websocket needs a tls block, or no_tls: true/)
})
