import { clock, frozen, killed, partition, redisRestart, stopped } from './failures.ts'
import { receiverStopped, redisAsleep } from './flood.ts'
import { forged, membersChange, plain, queue, queueLocal } from './messages.ts'
import { lameDuck, plainMembers, plainNode, requests } from './requests.ts'
import type { Scenario } from './scenario.ts'

export const scenarios: readonly Scenario[] = [
  { name: 'messages', text: 'messages of every kind reach every node once and in order', short: 0.1, run: plain },
  { name: 'queue', text: 'a queue group is one in the whole cluster', short: 0.15, run: queue },
  { name: 'queue-local', text: 'a queue group prefers members of the node where a message came in', short: null, nodes: { nats: { queue: 'local' } }, run: queueLocal },
  { name: 'members', text: 'members of a queue group come and go under load', short: 0.3, run: membersChange },
  { name: 'requests', text: 'requests are answered across nodes, and 503 says that nobody is there', short: 0.2, run: requests },
  { name: 'plain-node', text: 'a node with Aedes alone is part of the cluster', short: null, run: plainNode },
  { name: 'plain-members', text: 'members come and go while a node with Aedes alone publishes', short: null, run: plainMembers },
  { name: 'forged', text: 'what clients say on reserved topics is ignored, and none hears them', short: 1, nodes: { allows: true }, run: forged },
  { name: 'clock', text: 'the clock of a node jumps', short: null, run: clock },
  { name: 'redis-asleep', text: 'Redis is asleep for 3 s', short: null, run: redisAsleep },
  { name: 'receiver-stopped', text: 'a receiving node is stopped for 3 s', short: null, run: receiverStopped },
  { name: 'node-frozen', text: 'a node is stopped for 10 s', short: null, run: frozen },
  { name: 'redis-restart', text: 'Redis is started anew', short: null, run: redisRestart },
  { name: 'partition', text: 'a node has no way to Redis for 8 s', short: null, run: partition },
  { name: 'node-killed', text: 'a node is killed under load', short: 0.5, run: killed },
  { name: 'node-stopped', text: 'a node stops properly under load', short: null, run: stopped },
  { name: 'lame-duck', text: 'a lame duck hands its clients over', short: 0.5, nodes: { nats: { lameDuckDuration: 3000, lameDuckGracePeriod: 500 } }, run: lameDuck }
]
