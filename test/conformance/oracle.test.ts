import t from 'tap'
import { startHost, type Teardown } from '../helper/brokers.ts'
import { startNatsServer } from '../helper/processes.ts'
import { connect } from '../helper/raw.ts'
import { frames } from '../wire/frames.ts'

// The same bytes to nats-server and to the gateway: the same answer.

interface Exchange {
  readonly name: string
  readonly options?: object
  readonly bytes: string
}

const silent = { verbose: false, pedantic: false }

const exchanges: Exchange[] = [
  ...frames.map(({ name, bytes, headers = false, pedantic = false }) => ({ name, bytes: `SUB > all\r\n${bytes}`, options: { headers, pedantic, no_responders: false } })),
  ...frames.map(({ name, bytes, headers = false }) => ({ name: `${name}, verbose and pedantic`, bytes, options: { headers, verbose: true, pedantic: true, no_responders: false } })),
  { name: 'subscriptions get each message once, plain ones first', bytes: 'SUB a.* 1\r\nSUB a.> 2 \r\nSUB a.b q 3\r\nPUB a.b 1\r\nx\r\n' },
  { name: 'quoted names in permission errors', bytes: 'SUB "a\\b _sys_ 1\r\nPUB x _R_."\xff 0\r\n\r\n' },
  { name: 'reserved replies', bytes: 'PUB x _R_. 0\r\n\r\nPUB x $JS.ACK. 0\r\n\r\nPUB x $JS.ACK.1 0\r\n\r\nPUB x _GR_. 0\r\n\r\nPUB x _GR_.1 0\r\n\r\n' },
  { name: 'reserved subjects', bytes: 'SUB > 1\r\nPUB _GR_. 0\r\n\r\nPUB _GR_.x 0\r\n\r\nPUB _GR_x 0\r\n\r\n' },
  { name: 'a sid that is in use', bytes: 'SUB a 1\r\nSUB b q 1\r\nPUB b 0\r\n\r\nPUB a 0\r\n\r\nUNSUB 1\r\nSUB b 1\r\nPUB b 0\r\n\r\n', options: { verbose: true } },
  { name: 'malformed subjects', bytes: 'SUB a..b 1\r\nSUB . 2\r\nSUB a.>.b 3\r\nSUB >> 4\r\nSUB a.>b 5\r\nPUB a.>b 0\r\n\r\nPUB >> 0\r\n\r\n' },
  { name: 'UNSUB with max', bytes: 'SUB a 1\r\nUNSUB 1 2\r\nPUB a 0\r\n\r\nUNSUB 1 1\r\nPUB a 0\r\n\r\nSUB a 1\r\nPUB a 0\r\n\r\nUNSUB 1 9999999999\r\nPUB a 0\r\n\r\n' },
  { name: 'a queue subscription with max hands over', bytes: 'SUB a q 1\r\nUNSUB 1 1\r\nPUB a 0\r\n\r\nSUB a q 2\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\n' },
  { name: 'no echo', bytes: 'SUB a 1\r\nPUB a 0\r\n\r\n', options: { echo: false } },
  { name: 'no responders', bytes: 'SUB r 1\r\nSUB r q 2\r\nPUB none r 0\r\n\r\nPUB none none 0\r\n\r\nHPUB none r 0 0\r\n\r\n', options: { headers: true, no_responders: true } },
  { name: 'no responders for a reply heard only as a member of a group', bytes: 'SUB r q 2\r\nPUB none r 0\r\n\r\n', options: { headers: true, no_responders: true } },
  { name: 'a subject with an empty token has no responders', bytes: 'SUB r 1\r\nSUB > 2\r\nPUB a..b r 0\r\n\r\n', options: { headers: true, no_responders: true } },
  { name: 'headers for who can have them', bytes: 'SUB a 1\r\nCONNECT {"headers":false}\r\nSUB a 2\r\nPUB a 1\r\nx\r\nHPUB a 2 3\r\nabc\r\n', options: { headers: true, no_responders: true } },
  { name: 'CONNECT again', bytes: 'SUB a 1\r\nCONNECT {"verbose":true}\r\nPUB a 0\r\n\r\nCONNECT {"echo":false,"verbose":false}\r\nPUB a 0\r\n\r\n' },
  { name: 'CONNECT again with a protocol', bytes: 'CONNECT {"protocol":2}\r\nPING\r\n' },
  { name: 'CONNECT with keys in capitals', bytes: 'CONNECT {"VERBOSE":true,"Echo":false}\r\nSUB a 1\r\nPUB a 0\r\n\r\n' },
  { name: 'CONNECT with the wrong type', bytes: 'CONNECT {"verbose":"true"}\r\nPING\r\n' },
  { name: 'no_responders taken back with headers', bytes: 'CONNECT {"headers":false}\r\nPING\r\n', options: { headers: true, no_responders: true } },
  { name: 'all bytes as payload', bytes: `SUB a 1\r\nPUB a 256\r\n${Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('')}\r\n` },
  { name: 'bytes above ASCII in names', bytes: 'SUB \xe9.* \xff 1\r\nSUB \xe9.\x80 \x7f\r\nPUB \xe9.\x80 \x01 0\r\n\r\n' },
  { name: 'the argument may begin in the next line', bytes: 'SUB \nfoo 1\r\nPUB foo 0\r\n\r\n' },
  { name: 'a long subject', bytes: `SUB a 1\r\nPUB ${'a.'.repeat(1500)}a 0\r\n\r\nSUB ${'a.'.repeat(1500)}> 2\r\nPUB ${'a.'.repeat(1500)}a 0\r\n\r\n` }
]

/** What a server answers: all up to a last message to ourselves, or to the end. */
async function answer (t: Teardown, port: number, { options, bytes }: Exchange): Promise<string> {
  const client = await connect(t, port, null)
  // In one piece, so that both read the same chunks.
  client.send(`CONNECT ${JSON.stringify({ ...silent, headers: false, ...options })}\r\nSUB end.of.exchange end\r\n` +
    bytes + 'PUB end.of.exchange 0\r\n\r\nCONNECT {"echo":true}\r\nPUB end.of.exchange 0\r\n\r\n')
  try {
    return await client.expect(/[^]*?MSG end\.of\.exchange end 0\r\n\r\n/)
  } catch {
    return await client.end() + '<end>'
  } finally {
    client.socket.destroy()
  }
}

t.test('answers as nats-server does', async (t) => {
  const theirs = await startNatsServer(t)
  const ours = (await startHost(t)).natsPort
  for (const exchange of exchanges) {
    t.equal(await answer(t, ours, exchange), await answer(t, theirs, exchange), exchange.name)
  }
})
