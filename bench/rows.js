// What is measured (rows), what is printed of it (figures) and what the figures of aedes-nats should reach (targets).
//
// A row: id (what --only matches), peers, job (see jobs/), figures: { key in the job's answer, id, title, unit }.

export const sizes = [16, 128, 1024]

const directions = [
  { id: 'nats-nats', title: 'NATS -> NATS', from: 'nats', to: 'nats', peers: ['aedes-nats', 'nats-server'] },
  { id: 'nats-mqtt', title: 'NATS -> MQTT', from: 'nats', to: 'mqtt', peers: ['aedes-nats', 'nats-server', 'bridge'] },
  { id: 'mqtt-nats', title: 'MQTT -> NATS', from: 'mqtt', to: 'nats', peers: ['aedes-nats', 'nats-server', 'bridge'] },
  { id: 'mqtt-mqtt', title: 'MQTT -> MQTT', from: 'mqtt', to: 'mqtt', peers: ['aedes-nats', 'nats-server', 'aedes'] }
]

const both = ['aedes-nats', 'nats-server']
const natsToNats = { kind: 'throughput', from: 'nats', to: 'nats', size: 128 }

export function makeRows (quick) {
  const connections = quick ? 200 : 1000
  const subscriptions = quick ? 10_000 : 100_000
  // How long a job warms up and measures is the same for every peer; how many messages that is, the warm-up tells.
  const messages = quick ? 5000 : 100_000
  const durable = { kind: 'stream', size: 128, seconds: quick ? 0.1 : 3 }
  const common = {
    warmSeconds: quick ? 0.2 : 0.9,
    seconds: quick ? 0.1 : 1,
    stallSeconds: 10,
    limitSeconds: 120
  }

  const throughput = sizes.flatMap((size) => directions.map(({ id, title, from, to, peers }) => ({
    id: `${id}-${size}`,
    peers,
    job: { kind: 'throughput', from, to, size },
    figures: [{ key: 'rate', id: `${id}-${size}`, title: `${title}, ${size} B`, unit: 'msg/s' }]
  })))

  const nodes = directions.map(({ id, title, from, to }) => ({
    id: `nodes-${id}`,
    nodes: 2,
    peers: ['aedes-nats', ...id === 'nats-nats' ? ['nats-server'] : [], ...id === 'mqtt-mqtt' ? ['aedes'] : []],
    job: { kind: 'throughput', from, to, size: 128 },
    figures: [{ key: 'rate', id: `nodes-${id}`, title: `${title} on another node, 128 B`, unit: 'msg/s' }]
  }))

  const rows = [
    ...throughput,
    ...nodes,
    {
      id: 'patterns',
      nodes: 1,
      peers: ['aedes-nats'],
      job: { kind: 'patterns', few: 10, many: quick ? 1000 : 10_000, publishes: quick ? 5000 : 50_000, rounds: quick ? 2 : 5 },
      figures: [
        { key: 'exactFew', id: 'patterns-few', title: 'PUBLISH of Redis beside 10 subscriptions of NATS clients', unit: 'us', lower: true },
        { key: 'exact', id: 'patterns-exact', title: '  that, by what it costs beside 10,000 exact subjects (1 is flat)', unit: '' },
        { key: 'inboxes', id: 'patterns-inboxes', title: '  that, by what it costs beside 10,000 inboxes (1 is flat)', unit: '' },
        { key: 'wildcards', id: 'patterns-wildcards', title: '  that, by what it costs beside 10,000 distinct wildcards (1 is flat)', unit: '' }
      ]
    },
    {
      id: 'nodes-latency',
      nodes: 2,
      peers: both,
      job: { kind: 'latency', requests: quick ? 500 : 5000, warmRequests: quick ? 200 : 1000 },
      figures: [
        { key: 'p50', id: 'nodes-latency-p50', title: 'request/reply with another node, median', unit: 'us', lower: true },
        { key: 'p99', id: 'nodes-latency-p99', title: 'request/reply with another node, 99th percentile', unit: 'us', lower: true }
      ]
    },
    {
      id: 'headers-nats-nats',
      peers: both,
      job: { ...natsToNats, properties: true },
      figures: [{ key: 'rate', id: 'headers-nats-nats', title: 'NATS -> NATS, 128 B and 3 headers', unit: 'msg/s' }]
    },
    {
      id: 'headers-mqtt-nats',
      peers: ['aedes-nats'],
      job: { kind: 'throughput', from: 'mqtt', to: 'nats', size: 128, properties: true },
      figures: [{ key: 'rate', id: 'headers-mqtt-nats', title: 'MQTT 5 -> NATS, 128 B and 3 user properties', unit: 'msg/s' }]
    },
    {
      id: 'headers-mqtt-mqtt',
      peers: ['aedes-nats', 'aedes'],
      job: { kind: 'throughput', from: 'mqtt', to: 'mqtt', size: 128, properties: true },
      figures: [{ key: 'rate', id: 'headers-mqtt-mqtt', title: 'MQTT 5 -> MQTT 5, 128 B and 3 user properties', unit: 'msg/s' }]
    },
    {
      id: 'gateway-a',
      peers: both,
      job: natsToNats,
      figures: [{ key: 'rate', id: 'gateway-a', title: 'NATS -> NATS, 128 B, (a) nobody on the MQTT side', unit: 'msg/s' }]
    },
    {
      id: 'gateway-b',
      peers: both,
      listener: true,
      job: natsToNats,
      figures: [{ key: 'rate', id: 'gateway-b', title: "NATS -> NATS, 128 B, (b) a 'publish' listener", unit: 'msg/s' }]
    },
    {
      id: 'gateway-c',
      peers: both,
      job: { ...natsToNats, also: 'mqtt' },
      figures: [
        { key: 'rate', id: 'gateway-c', title: 'NATS -> NATS, 128 B, (c) an MQTT subscriber', unit: 'msg/s' },
        { key: 'also', id: 'gateway-c-mqtt', title: '  until that MQTT subscriber has all', unit: 'msg/s' }
      ]
    },
    {
      id: 'fan-out',
      peers: both,
      job: { ...natsToNats, receivers: 100 },
      figures: [{ key: 'rate', id: 'fan-out', title: 'fan-out, 1 NATS -> 100 NATS, 128 B', unit: 'deliveries/s' }]
    },
    {
      id: 'latency',
      peers: both,
      job: { kind: 'latency', requests: quick ? 1000 : 10_000, warmRequests: quick ? 500 : 3000 },
      figures: [
        { key: 'p50', id: 'latency-p50', title: 'request/reply, median', unit: 'us', lower: true },
        { key: 'p99', id: 'latency-p99', title: 'request/reply, 99th percentile', unit: 'us', lower: true }
      ]
    },
    {
      id: 'memory',
      peers: both,
      job: { kind: 'idle', connections, pauseSeconds: quick ? 0.5 : 3 },
      figures: [{ key: 'memory', id: 'memory', title: `memory per idle NATS connection, of ${connections}`, unit: 'KiB', lower: true }]
    },
    {
      id: 'matching',
      peers: both,
      job: { kind: 'matching', few: 100, many: subscriptions },
      figures: [
        { key: 'few', id: 'matching-few', title: 'matching beside 100 subscriptions', unit: 'msg/s' },
        { key: 'many', id: 'matching-many', title: `matching beside ${subscriptions.toLocaleString('en')} subscriptions`, unit: 'msg/s' },
        { key: 'flat', id: 'matching-flat', title: '  the second by the first (1 is flat)', unit: '' }
      ]
    },
    {
      id: 'durable',
      peers: ['aedes-nats', 'nats-server', 'aedes'],
      redis: 'everysec',
      job: durable,
      figures: [{ key: 'rate', id: 'durable', title: 'QoS 1 MQTT -> durable, 128 B', unit: 'msg/s' }]
    },
    {
      id: 'durable-session',
      peers: ['aedes-nats'],
      redis: 'everysec',
      job: { ...durable, session: true },
      figures: [{ key: 'rate', id: 'durable-session', title: '  the same to a persistent MQTT session', unit: 'msg/s' }]
    },
    {
      id: 'durable-unconfirmed',
      peers: ['aedes-nats'],
      redis: 'everysec',
      unconfirmed: true,
      job: durable,
      figures: [{ key: 'rate', id: 'durable-unconfirmed', title: '  the same without `confirm`', unit: 'msg/s' }]
    },
    {
      id: 'durable-always',
      peers: ['aedes-nats', 'aedes'],
      redis: 'always',
      job: durable,
      figures: [{ key: 'rate', id: 'durable-always', title: '  the same, appendfsync always', unit: 'msg/s' }]
    },
    {
      id: 'backlog',
      peers: both,
      redis: 'everysec',
      job: { kind: 'backlog', size: 128, messages },
      figures: [
        { key: 'storing', id: 'backlog-storing', title: `${messages.toLocaleString('en')} messages stored for an absent subscriber`, unit: 'msg/s' },
        { key: 'rate', id: 'backlog', title: '  it returns and drains them', unit: 'msg/s' },
        { key: 'seconds', id: 'backlog-seconds', title: '  which takes', unit: 's', lower: true }
      ]
    },
    {
      id: 'depth',
      peers: ['aedes-nats'],
      redis: 'everysec',
      job: { kind: 'depth', few: 10, many: messages },
      figures: [
        { key: 'few', id: 'depth-few', title: 'claim and acknowledge, 10 messages waiting', unit: 'us', lower: true },
        { key: 'many', id: 'depth-many', title: `  ${messages.toLocaleString('en')} messages waiting`, unit: 'us', lower: true },
        { key: 'flat', id: 'depth-flat', title: '  the first by the second (1 is flat)', unit: '' }
      ]
    }
  ]
  return rows.map((row) => ({ ...row, job: { ...common, ...row.job } }))
}

// figure of aedes-nats >= atLeast x the figure `of` a peer; without `of`, the figure itself.
export const targets = [
  ...sizes.flatMap((size) => [
    { figure: `nats-mqtt-${size}`, atLeast: 1.1, of: { peer: 'aedes', figure: `mqtt-mqtt-${size}` }, text: "aedes' MQTT -> MQTT" },
    { figure: `nats-mqtt-${size}`, atLeast: 2.5, of: { peer: 'bridge', figure: `nats-mqtt-${size}` }, text: 'bridge' },
    { figure: `mqtt-nats-${size}`, atLeast: 2.5, of: { peer: 'aedes', figure: `mqtt-mqtt-${size}` }, text: "aedes' MQTT -> MQTT" },
    { figure: `mqtt-nats-${size}`, atLeast: 2.5, of: { peer: 'bridge', figure: `mqtt-nats-${size}` }, text: 'bridge' }
  ]),
  ofNatsServer('headers-nats-nats', 0.5),
  ...['exact', 'inboxes', 'wildcards'].map((kind) => ({ figure: `patterns-${kind}`, atLeast: 0.67, text: 'within 1.5x' })),
  { figure: 'nodes-nats-nats', atLeast: 300_000, text: 'messages a second' },
  { figure: 'nodes-nats-nats', atLeast: 10, of: { peer: 'aedes', figure: 'nodes-mqtt-mqtt' }, text: "aedes' MQTT -> MQTT between nodes" },
  { figure: 'nodes-mqtt-nats', atLeast: 3, of: { peer: 'aedes', figure: 'nodes-mqtt-mqtt' }, text: "aedes' MQTT -> MQTT between nodes" },
  { figure: 'headers-mqtt-nats', atLeast: 0.3, of: { peer: 'aedes-nats', figure: 'mqtt-nats-128' }, text: 'without them' },
  { figure: 'headers-mqtt-nats', atLeast: 1.5, of: { peer: 'aedes', figure: 'headers-mqtt-mqtt' }, text: "aedes' MQTT 5 -> MQTT 5" },
  ofNatsServer('gateway-a', 0.6),
  ofNatsServer('gateway-b', 0.35),
  ofNatsServer('gateway-c', 0.35),
  ofNatsServer('fan-out', 0.5),
  { figure: 'durable', atLeast: 3, of: { peer: 'aedes', figure: 'durable' }, text: "aedes' persistent session" },
  { figure: 'depth-flat', atLeast: 0.5, text: 'flat within 2x' },
  { figure: 'matching-flat', atLeast: 0.5, text: 'flat within 2x' }
]

function ofNatsServer (figure, atLeast) {
  return { figure, atLeast, of: { peer: 'nats-server', figure }, text: 'nats-server' }
}
