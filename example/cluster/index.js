// Two nodes on one Redis are one NATS service, and one MQTT broker: node example/cluster
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from '@nats-io/transport-node'
import mqtt from 'mqtt'

async function startNode () {
  const child = fork(new URL('node.js', import.meta.url))
  child.on('exit', (code) => {
    if (code === 0) return
    console.error('A node could not start. Is there a Redis at REDIS_URL, or on this machine?')
    process.exit(1)
  })
  const [ports] = await once(child, 'message')
  return { child, ...ports }
}

const nodes = [await startNode(), await startNode()]
console.log('two nodes are up')

// A worker on each node, in one queue group: each job goes to one of them.
const workers = await Promise.all(nodes.map(({ nats }) => connect({ servers: `127.0.0.1:${nats}` })))
const done = [0, 0]
for (const [i, worker] of workers.entries()) {
  worker.subscribe('jobs.*', { queue: 'workers', callback: (_error, message) => { message.respond(`done on node ${i + 1}`); done[i]++ } })
  await worker.flush()
}

// Whoever asks need not know where they are.
for (let job = 1; job <= 100; job++) await workers[0].request(`jobs.${job}`)
console.log(`100 jobs: ${done.every((count) => count > 0) ? 'both nodes worked' : done.join(' and ')}`)

// A device on the first node, a service on the second.
const readings = workers[1].subscribe('sensors.>', { max: 1 })
await workers[1].flush()
const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${nodes[0].mqtt}`)
await device.publishAsync('sensors/cellar', '11 degrees')
for await (const message of readings) console.log(`${message.subject}: ${message.string()}`)

// Nobody answers this anywhere, and the cluster knows.
await workers[0].request('nobody').catch((error) => { console.log(error.message) })

await Promise.all([...workers.map((worker) => worker.close()), device.endAsync()])
for (const { child } of nodes) child.send('stop')
