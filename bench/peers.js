// The servers that are measured side by side. A peer starts anew for every figure, so that no row finds code, heap or
// caches that an earlier row has shaped.
//
// start(row, settings) -> { nats, mqtt: ports, pid, published(n): throws unless the host program saw n messages,
//                           lastWords(), stop() }
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Server, freePorts } from './processes.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const host = fileURLToPath(new URL('./host.js', import.meta.url))
const bridge = fileURLToPath(new URL('./bridge.js', import.meta.url))

export const peers = {
  'aedes-nats': {
    version: ({ server }) => `${packageVersion('.')} (${server === defaultServer ? 'dist/cli/main.js' : server}), ` +
      `aedes ${packageVersion('node_modules/aedes')}`,

    check (settings) {
      if (settings.server === defaultServer && !fs.existsSync(path.join(root, 'dist/cli/main.js'))) {
        throw new Error('dist/cli/main.js is not there: run `npm run build`, or name a command with --server')
      }
    },

    async start (row, settings) {
      const [nats, mqtt] = await freePorts(2)
      const ports = [nats, mqtt]
      if (row.nodes === 2) return await twoNodes((redis) => startNode(redis, settings, false))
      if (row.nodes === 1) {
        return await onRedis('everysec', async (redis) => {
          const { server, nats, mqtt } = await startNode(redis, settings, true)
          return running([server], nats, mqtt)
        })
      }
      if (row.listener) {
        const args = [host, '--nats-port', nats, '--mqtt-port', mqtt, '--listener']
        const server = await Server.start(process.execPath, args, { ports, ipc: true })
        return running([server], nats, mqtt, { published: (n) => listenerSaw(server, n) })
      }
      if (row.redis !== undefined) {
        return await onRedis(row.redis, async (redis) => {
          const [command, args] = row.unconfirmed
            ? [process.execPath, [host, '--nats-port', nats, '--mqtt-port', mqtt, '--redis-port', redis]]
            : withFlags(settings, ['-a', '127.0.0.1', '-p', nats, '--mqtt-port', mqtt, '-m', '0', '--redis', `redis://127.0.0.1:${redis}`])
          return running([await Server.start(command, args, { ports })], nats, mqtt)
        })
      }
      const [command, args] = withFlags(settings, ['-a', '127.0.0.1', '-p', nats, '--mqtt-port', mqtt, '-m', '0'])
      return running([await Server.start(command, args, { ports })], nats, mqtt)
    }
  },

  'nats-server': {
    version: () => natsServerVersion(),
    check: () => natsServerVersion(),

    async start (row) {
      if (row.nodes === 2) return await natsCluster()
      const [nats, mqtt] = await freePorts(2)
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'aedes-nats-bench-'))
      const file = path.join(directory, 'nats-server.conf')
      // Its MQTT listener needs a server name and JetStream, even where nothing is stored.
      fs.writeFileSync(file, `
        listen: "127.0.0.1:${nats}"
        server_name: bench
        jetstream { store_dir: "${directory}" }
        mqtt { listen: "127.0.0.1:${mqtt}" }
      `)
      const cleanUp = () => {
        process.off('exit', cleanUp)
        fs.rmSync(directory, { recursive: true, force: true })
      }
      process.on('exit', cleanUp) // an interrupted benchmark leaves no directory behind
      try {
        return running([await Server.start('nats-server', ['-c', file], { ports: [nats, mqtt] })], nats, mqtt, { cleanUp })
      } catch (error) {
        cleanUp()
        throw error
      }
    }
  },

  bridge: {
    version: () => `@nats-io/transport-node ${packageVersion('node_modules/@nats-io/transport-node')}, ` +
      `mqtt ${packageVersion('node_modules/mqtt')}, between nats-server and aedes (three processes)`,
    check: () => natsServerVersion(),

    async start () {
      const [nats, mqtt] = await freePorts(2)
      const servers = []
      try {
        servers.push(await Server.start('nats-server', ['-a', '127.0.0.1', '-p', nats], { ports: [nats] }))
        servers.push(await Server.start(process.execPath, [host, '--mqtt-port', mqtt], { ports: [mqtt] }))
        const args = [bridge, '--nats-port', nats, '--mqtt-port', mqtt]
        servers.push(await Server.start(process.execPath, args, { line: 'ready' }))
      } catch (error) {
        await Promise.all(servers.map((server) => server.stop()))
        throw error
      }
      return running(servers, nats, mqtt)
    }
  },

  aedes: {
    version: () => packageVersion('node_modules/aedes'),
    check () {},

    async start (row) {
      const [mqtt] = await freePorts(1)
      if (row.nodes === 2) {
        return await twoNodes(async (redis) => {
          const [port] = await freePorts(1)
          return { server: await Server.start(process.execPath, [host, '--mqtt-port', port, '--redis-port', redis], { ports: [port] }), nats: 0, mqtt: port }
        })
      }
      if (row.redis !== undefined) {
        return await onRedis(row.redis, async (redis) =>
          running([await Server.start(process.execPath, [host, '--mqtt-port', mqtt, '--redis-port', redis], { ports: [mqtt] })], 0, mqtt))
      }
      return running([await Server.start(process.execPath, [host, '--mqtt-port', mqtt], { ports: [mqtt] })], 0, mqtt)
    }
  }
}

export const defaultServer = `${process.execPath} ${path.join(root, 'dist/cli/main.js')}`

// A free port can be gone before the server listens on it, so a start that fails is tried again.
export async function startPeer (name, row, settings) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await peers[name].start(row, settings)
    } catch (error) {
      if (attempt === 3) throw error
    }
  }
}

// Two of what `start` makes on one Redis; the second is the far one.
async function twoNodes (start) {
  return await onRedis('everysec', async (redis) => {
    const near = await start(redis)
    const far = await start(redis)
    return { ...running([near.server, far.server], near.nats, near.mqtt), far: { nats: far.nats, mqtt: far.mqtt } }
  })
}

// `plainNodes`: whether it listens for nodes without the gateway; if not, it is as after a minute, when it has heard of all others.
async function startNode (redis, settings, plainNodes) {
  const [nats, mqtt] = await freePorts(2)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'aedes-nats-bench-'))
  const file = path.join(directory, 'node.conf')
  fs.writeFileSync(file, `listen: "127.0.0.1:${nats}"\nmqtt { listen: "127.0.0.1:${mqtt}" }\nplain_nodes: ${plainNodes}\n`)
  try {
    const [command, args] = withFlags(settings, ['-c', file, '--redis', `redis://127.0.0.1:${redis}`])
    return { server: await Server.start(command, args, { ports: [nats, mqtt] }), nats, mqtt }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

// Two nodes of nats-server, with MQTT where its JetStream has a quorum: on none of two.
async function natsCluster () {
  const [near, far, nearRoute, farRoute] = await freePorts(4)
  const start = (nats, route, to) => Server.start('nats-server', ['-a', '127.0.0.1', '-p', nats, '--cluster_name', 'bench', '--cluster', `nats://127.0.0.1:${route}`, '--routes', `nats://127.0.0.1:${to}`], { ports: [nats], line: 'Route connection created' })
  const servers = await Promise.all([start(near, nearRoute, farRoute), start(far, farRoute, nearRoute)])
  return { ...running(servers, near, 0), far: { nats: far, mqtt: 0 } }
}

function running (servers, nats, mqtt, { published = async () => {}, cleanUp = () => {} } = {}) {
  return {
    nats,
    mqtt,
    pid: servers[0].pid,
    published,
    lastWords: () => servers.filter((server) => server.exited).map((server) => server.lastWords()).join(''),
    async stop () {
      await Promise.all(servers.map((server) => server.stop()))
      cleanUp()
    }
  }
}

// No shell in between: its pid would be the one whose memory is read.
function withFlags (settings, flags) {
  const [command, ...args] = settings.server.split(' ')
  return [command, [...args, ...flags]]
}

// A redis-server of its own that writes everything to disk, and what `start` makes of its port.
async function onRedis (appendfsync, start) {
  const [port] = await freePorts(1)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'aedes-nats-bench-'))
  const cleanUp = () => {
    process.off('exit', cleanUp)
    fs.rmSync(directory, { recursive: true, force: true })
  }
  process.on('exit', cleanUp)
  let redis
  const stop = async () => {
    await redis?.stop()
    cleanUp()
  }
  try {
    const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', appendfsync, '--dir', directory]
    redis = await Server.start('redis-server', args, { line: 'Ready to accept connections' })
    const peer = await start(port)
    return { ...peer, redis: port, stop: () => peer.stop().then(stop) }
  } catch (error) {
    await stop()
    throw error
  }
}

// The listener's share may lag behind the deliveries that were counted.
async function listenerSaw (server, expected) {
  let seen
  for (let i = 0; i < 100; i++) {
    seen = await server.ask()
    if (seen >= expected) break
    await sleep(50)
  }
  if (seen !== expected) throw new Error(`the 'publish' listener saw ${seen} of ${expected} messages`)
}

function natsServerVersion () {
  try {
    return execFileSync('nats-server', ['--version'], { encoding: 'utf8' }).trim().replace('nats-server: ', '')
  } catch {
    throw new Error('nats-server is not installed (Debian: apt install nats-server), or leave it out with --peers')
  }
}

function packageVersion (directory) {
  return JSON.parse(fs.readFileSync(path.join(root, directory, 'package.json'), 'utf8')).version
}
