// A process of the cluster tests: an Aedes on Redis, with a gateway or without.
//
// Options (JSON in the first argument): { id, version, redis: port, natsPort, mqttPort, heartbeat, allows, options };
// `version` of Aedes, 1 or 2; `heartbeat` of Aedes in milliseconds; `allows` MQTT clients to publish anything; `options`
// are those of the gateway, null for none. Prints `ready`. Answers what its parent asks by message.
import { once } from 'node:events'
import net from 'node:net'
import { Aedes as Aedes2 } from 'aedes'
import { Aedes as Aedes1 } from 'aedes1'
import persistenceRedis from 'aedes-persistence-redis'
import mqemitterRedis from 'mqemitter-redis'

const { id, version, redis, natsPort, mqttPort, heartbeat, allows, options } = JSON.parse(process.argv[2])
const place = { host: '127.0.0.1', port: redis, maxRetriesPerRequest: null, retryStrategy: () => 100 }
const mq = mqemitterRedis({ ...place })
mq.state.on('error', () => {})
// mq.on() during ioredis' ready check ends in an error.
await Promise.all([mq.subConn, mq.pubConn].map((connection) => connection.status === 'ready' || once(connection, 'ready')))
const Aedes = version === 1 ? Aedes1 : Aedes2
const hooks = allows ? { authorizePublish: (client, packet, callback) => { callback(null) } } : {}
const broker = await Aedes.createBroker({ id, mq, persistence: persistenceRedis({ ...place }), heartbeatInterval: heartbeat, ...hooks })
broker.on('error', () => {})
broker.on('clientError', () => {})

let gateway = null
if (options !== null) {
  const { createGateway } = await import('../../dist/index.js')
  const say = (_details, text) => { console.log(text) }
  const logger = { trace () {}, debug () {}, info: say, warn: say, error: say }
  gateway = await createGateway(broker, { host: '127.0.0.1', port: natsPort, logger, ...options })
}

const realNow = Date.now
const asked = {
  /** What the gateway knows. */
  view: () => viewOf(gateway.services.cluster),
  lameDuck: () => gateway.lameDuck(),
  stop: async () => {
    await gateway?.close()
    await new Promise((resolve) => { broker.close(resolve) })
    server.close()
  },
  /** Has the clock jump, by so many milliseconds. */
  clock: (jump) => { Date.now = () => realNow() + jump },
  /** What is held, in MiB. */
  memory: () => {
    globalThis.gc()
    const { heapUsed, external } = process.memoryUsage()
    return (heapUsed + external) / 2 ** 20
  }
}

function viewOf ({ members, interest, plainNodes, forged }) {
  return {
    mayHavePlainNodes: plainNodes.mayLive,
    forged,
    urls: members.urls.urls,
    wants: digest([...interest.entries.values()].map(({ wanted, members }) => [wanted, members]), new Set(interest.listened())),
    peers: [...members.peers.values()].map((peer) => ({
      id: peer.presence.broker,
      isAlive: peer.isAlive,
      isJoined: peer.isJoined,
      lost: peer.lostMessages,
      took: peer.inMessages,
      sent: peer.outMessages,
      unacknowledged: peer.link.unacknowledged,
      wants: digest([...peer.interest.receivers.values()].map((receiver) => [receiver, receiver.members]), peer.interest.listened)
    }))
  }
}

/** Comparable; others do not know how many plain subscriptions there are. */
function digest (entries, listened) {
  const wanted = entries.map(([{ mountpoint, filter, queue }, members]) => `${mountpoint}|${filter}|${queue}|${queue === null ? 1 : members}`)
  return [...wanted, ...[...listened].map((filter) => `mqtt|${filter}`)].sort()
}

process.on('message', async ({ number, verb, argument }) => {
  const answer = await asked[verb](argument)
  process.send({ number, answer }, () => { if (verb === 'stop') process.exit(0) })
})
process.on('disconnect', () => process.exit(1))

const server = net.createServer(broker.handle).listen(mqttPort, '127.0.0.1', () => console.log('ready'))
