import mqttPacket, { type Packet } from 'mqtt-packet'
import t from 'tap'
import { Intake } from '../../lib/transport/linger-intake.ts'
import { PacketScan } from '../../lib/transport/linger-scan.ts'

function bytesOf (...packets: Packet[]): Buffer {
  return Buffer.concat(packets.map((packet) => mqttPacket.generate(packet)))
}

function publish (size: number): Packet {
  return { cmd: 'publish', topic: 't', payload: Buffer.alloc(size), qos: 0, dup: false, retain: false }
}

const connect: Packet = { cmd: 'connect', clientId: 'c', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0 }
const disconnect: Packet = { cmd: 'disconnect' }

interface Step { readonly bytes: number, readonly packets: number, readonly connect: boolean, readonly disconnect: boolean }

function scanAll (scan: PacketScan, chunk: Uint8Array): Step[] {
  const steps: Step[] = []
  for (let at = 0; at < chunk.length;) {
    const to = scan.scan(chunk, at)
    steps.push({ bytes: to - at, packets: scan.packets, connect: scan.hasConnect, disconnect: scan.hasDisconnect })
    at = to
  }
  return steps
}

t.test('a scan stops behind CONNECT and in front of DISCONNECT', (t) => {
  const head = bytesOf(connect)
  const body = bytesOf(publish(1), publish(100), publish(200), publish(20_000), { cmd: 'pingreq' }, publish(2_200_000))
  const tail = bytesOf(disconnect, publish(1))
  t.same(scanAll(new PacketScan(), Buffer.concat([head, body, tail])), [
    { bytes: head.length, packets: 1, connect: true, disconnect: false },
    { bytes: body.length, packets: 6, connect: false, disconnect: false },
    { bytes: tail.length, packets: 1, connect: false, disconnect: true }
  ])
  t.end()
})

t.test('a scan finds the same in two pieces, cut at every place', (t) => {
  const head = bytesOf(connect)
  const body = bytesOf(publish(1), publish(300), { cmd: 'pingreq' }, publish(0))
  const all = Buffer.concat([head, body, bytesOf(disconnect)])
  for (let cut = 1; cut < all.length; cut++) {
    const scan = new PacketScan()
    let place = 0
    let packets = 0
    const connects: number[] = []
    const disconnects: number[] = []
    for (const step of [...scanAll(scan, all.subarray(0, cut)), ...scanAll(scan, all.subarray(cut))]) {
      if (step.disconnect) disconnects.push(place)
      place += step.bytes
      packets += step.packets
      if (step.connect) connects.push(place)
    }
    t.equal(packets, 6, `packets, cut at ${cut}`)
    t.same(connects, [head.length], `end of CONNECT, cut at ${cut}`)
    t.equal(disconnects[0], head.length + body.length, `begin of DISCONNECT, cut at ${cut}`)
  }
  t.end()
})

t.test('a scan finds the same byte by byte', (t) => {
  const scan = new PacketScan()
  let packets = 0
  for (const byte of bytesOf(connect, publish(300), disconnect)) {
    t.equal(scan.scan(Uint8Array.of(byte), 0), 1)
    packets += scan.packets
  }
  t.equal(packets, 3)
  t.equal(scan.hasDisconnect, true)
  t.end()
})

t.test('only the first packet opens the stream', (t) => {
  t.same(scanAll(new PacketScan(), bytesOf({ cmd: 'pingreq' }, connect, connect)).map((step) => [step.packets, step.connect]), [[3, false]])
  t.end()
})

t.test('a length of more than four bytes ends the search', (t) => {
  const broken = Buffer.concat([bytesOf({ cmd: 'pingreq' }), Buffer.from([0x30, 0xff, 0xff, 0xff, 0x80]), bytesOf(publish(1), disconnect)])
  const scan = new PacketScan()
  t.equal(scan.scan(broken, 0), broken.length)
  t.equal(scan.packets, 1)
  t.equal(scan.scan(bytesOf(publish(1), disconnect), 0), bytesOf(publish(1), disconnect).length)
  t.equal(scan.packets, 0)
  t.end()
})

t.test('CONNECT is handed out alone, the rest once that is taken', (t) => {
  const intake = new Intake()
  intake.add(bytesOf(connect, publish(1), publish(2)))
  t.same(intake.next(true), bytesOf(connect))
  t.equal(intake.unhandled, 2, 'CONNECT is reported twice')
  t.equal(intake.isGated, true)
  t.equal(intake.next(true), null)
  intake.isGated = false
  t.same(intake.next(true), bytesOf(publish(1), publish(2)))
  t.equal(intake.unhandled, 4)
  t.equal(intake.next(true), null)
  t.equal(intake.isEmpty, true)
  t.equal(intake.held, 0)
  t.end()
})

t.test('DISCONNECT is handed out when all before it is read and handled', (t) => {
  const intake = new Intake()
  intake.isCounting = true
  intake.add(bytesOf(publish(1), publish(2), disconnect))
  t.equal(intake.isComplete, true)
  t.same(intake.next(true), bytesOf(publish(1), publish(2)))
  t.equal(intake.isHandled, false)
  t.equal(intake.next(false), null)
  t.equal(intake.next(true), null)
  intake.unhandled = 0
  t.equal(intake.next(false), null)
  t.same(intake.next(true), bytesOf(disconnect))
  t.end()
})

t.test('who does not tell what is handled gets DISCONNECT when all before it is read', (t) => {
  const intake = new Intake()
  intake.add(bytesOf(publish(1), disconnect))
  t.same(intake.next(true), bytesOf(publish(1)))
  t.equal(intake.next(false), null)
  t.same(intake.next(true), bytesOf(disconnect))
  t.end()
})

t.test('a tiny chunk counts for more than its bytes', (t) => {
  const intake = new Intake()
  for (let i = 0; i < 100; i++) intake.add(Buffer.from([0x30]))
  t.ok(intake.held > 10_000)
  t.end()
})
