// A process of the crash tests: publishes numbered QoS 1 messages and reports each PUBACK.
//
// What a lost connection leaves unacknowledged is given up: a number is sent once, and counts as acknowledged only by
// its own PUBACK. Options (JSON in the first argument): { ports, from, to, topics, window, size, pace }; `pace` is
// the most messages a second, 0 for no limit. Lines on stdout:
// `p <count>` numbers sent so far, `a <number> ...` acknowledged ones, `done` at the end.
import { writeSync } from 'node:fs'
import { MqttLink } from './mqtt-link.js'

const { ports, from, to, topics, window, size, pace } = JSON.parse(process.argv[2])
// Number of the message by its messageId, of those that are on their way.
const flying = new Map()
let next = from
let acknowledged = []
let isBlocked = false
const began = Date.now()

const link = new MqttLink({ ports, clientId: `publisher-${process.pid}`, clean: true }, {
  open () {
    isBlocked = false
    fill()
  },
  packet ({ cmd, messageId }) {
    if (cmd !== 'puback' || !flying.has(messageId)) throw new Error(`unexpected ${cmd} ${messageId}`)
    acknowledged.push(flying.get(messageId))
    flying.delete(messageId)
    if (acknowledged.length === 1) setImmediate(turn)
  },
  lost () {
    report()
    flying.clear()
    finish()
  }
})

function turn () {
  report()
  if (link.isOpen) fill()
  finish()
}

function fill () {
  const before = next
  const due = pace === 0 ? to : Math.min(to, from + Math.ceil((Date.now() - began) * pace / 1000))
  while (next < due && flying.size < window && !isBlocked) {
    const n = next++
    const messageId = n % 65535 + 1
    flying.set(messageId, n)
    isBlocked = !link.send({
      cmd: 'publish', topic: topics[n % topics.length], payload: String(n).padEnd(size, ' '), qos: 1, retain: false, dup: false, messageId
    })
  }
  if (isBlocked) {
    link.socket.once('drain', () => {
      isBlocked = false
      fill()
    })
  }
  if (next > before) writeSync(1, `p ${next - from}\n`)
}

function report () {
  if (acknowledged.length === 0) return
  writeSync(1, `a ${acknowledged.join(' ')}\n`)
  acknowledged = []
}

function finish () {
  if (next < to || flying.size > 0) return
  writeSync(1, 'done\n')
  process.exit(0)
}

if (pace > 0) setInterval(() => { if (link.isOpen && !isBlocked) fill() }, 10)
process.on('disconnect', () => process.exit(1))
