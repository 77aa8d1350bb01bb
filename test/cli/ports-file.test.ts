import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import t from 'tap'
import { urlsOf, writePidFile, writePortsFile } from '../../lib/cli/ports-file.ts'

function at (address: string, port: number): AddressInfo {
  return { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' }
}

const interfaces = {
  lo: [{ address: '127.0.0.1' }, { address: '::1' }] as NetworkInterfaceInfo[],
  eth0: [{ address: '192.0.2.2' }, { address: 'fe80::1' }] as NetworkInterfaceInfo[],
  none: undefined
}

t.test('a listener on all addresses has a URL for each that reaches it', async (t) => {
  t.strictSame(urlsOf('nats', at('127.0.0.1', 4222), interfaces), ['nats://127.0.0.1:4222'])
  t.strictSame(urlsOf('http', at('::1', 1), interfaces), ['http://[::1]:1'])
  t.strictSame(urlsOf('nats', at('0.0.0.0', 4222), interfaces), ['nats://127.0.0.1:4222', 'nats://192.0.2.2:4222'])
  t.strictSame(urlsOf('mqtt', at('::', 1883), interfaces), ['mqtt://127.0.0.1:1883', 'mqtt://[::1]:1883', 'mqtt://192.0.2.2:1883', 'mqtt://[fe80::1]:1883'])
  t.ok(urlsOf('nats', at('0.0.0.0', 4222)).includes('nats://127.0.0.1:4222'), 'of this machine by default')
})

t.test('the ports file has the name and form of nats-server\'s', async (t) => {
  const dir = t.testdir()
  const remove = writePortsFile(dir, { nats: at('127.0.0.1', 4222), monitoring: at('127.0.0.1', 8222), mqtt: at('::1', 1883), websocket: { ...at('127.0.0.1', 80), isSecure: false } })
  const name = `nats-server_${process.pid}.ports`
  t.strictSame(readdirSync(dir), [name])
  t.equal(readFileSync(`${dir}/${name}`, 'utf8'), '{"nats":["nats://127.0.0.1:4222"],"monitoring":["http://127.0.0.1:8222"],"mqtt":["mqtt://[::1]:1883"],"websocket":["ws://127.0.0.1:80"]}')
  remove()
  t.strictSame(readdirSync(dir), [])
  remove()
})

t.test('listeners that are off are not in the ports file', async (t) => {
  const dir = t.testdir()
  writePortsFile(dir, { nats: at('127.0.0.1', 4222), monitoring: null, websocket: { ...at('127.0.0.1', 443), isSecure: true } }, 5)
  t.equal(readFileSync(`${dir}/nats-server_5.ports`, 'utf8'), '{"nats":["nats://127.0.0.1:4222"],"websocket":["wss://127.0.0.1:443"]}')
  t.throws(() => writePortsFile(`${dir}/nowhere`, { nats: at('127.0.0.1', 4222) }), { code: 'ENOENT' })
})

t.test('the pid file holds the process id and goes with its process', async (t) => {
  const file = `${t.testdir({ pid: 'old content' })}/pid`
  const remove = writePidFile(file)
  t.equal(readFileSync(file, 'utf8'), String(process.pid))
  remove()
  t.throws(() => readFileSync(file), { code: 'ENOENT' })
})

t.test('what is no file of ours any more stays', async (t) => {
  const dir = t.testdir({ target: '' })
  const remove = writePidFile(`${dir}/pid`, 1)
  writeFileSync(`${dir}/pid`, '2')
  remove()
  t.equal(readFileSync(`${dir}/pid`, 'utf8'), '2')
  symlinkSync('target', `${dir}/link`)
  const leave = writePidFile(`${dir}/link`, 1)
  leave()
  t.equal(readFileSync(`${dir}/link`, 'utf8'), '1')
})
