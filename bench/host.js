// A broker made by a host program: stock Aedes 2 beta over a bare net.Server, and, when asked, our gateway on it.
//
//   node bench/host.js --mqtt-port N [--nats-port N [--listener]]
//
// With --listener the program itself wants every message (broker.on('publish')), so the gateway cannot skip the
// broker; asked over IPC, it tells how many it saw.
import net from 'node:net'
import { parseArgs } from 'node:util'
import { Aedes } from 'aedes'

const { values: options } = parseArgs({
  options: {
    'mqtt-port': { type: 'string' },
    'nats-port': { type: 'string' },
    listener: { type: 'boolean', default: false }
  }
})

const broker = await Aedes.createBroker()

if (options.listener) {
  let seen = 0
  broker.on('publish', (packet) => {
    if (packet.topic === 'bench/subject') seen++
  })
  process.on('message', () => process.send(seen))
}

if (options['nats-port'] !== undefined) {
  const { createGateway } = await import('../dist/index.js')
  await createGateway(broker, { host: '127.0.0.1', port: Number(options['nats-port']) })
}

net.createServer(broker.handle).listen(Number(options['mqtt-port']), '127.0.0.1')
