import { createUser } from '@nats-io/nkeys'
import t from 'tap'
import type { Logger } from '../../lib/options.ts'
import { maskConnect } from '../../lib/client/tracer.ts'
import { startHost } from '../helper/brokers.ts'
import { connect } from '../helper/raw.ts'

t.test('a log that takes traces gets the protocol, without secrets', async (t) => {
  const lines: string[] = []
  const nothing = (): void => {}
  const logger: Logger = { trace: (_details, text) => { lines.push(text) }, debug: nothing, info: nothing, warn: nothing, error: nothing, isLevelEnabled: (level) => level === 'trace' }
  const host = await startHost(t, { nats: { logger } })
  const client = await connect(t, host.natsPort, null)
  client.send('CONNECT {"verbose":false,"pedantic":true,"headers":true,"user":"u","pass":"secret","auth_token":"hidden","PASS":"deep"}\r\n')
  client.send('SUB a 1\r\nSUB a.* q 2\r\nUNSUB 2\r\nUNSUB 1 5\r\nPUB a r 2\r\nhi\r\nHPUB a 2 3\r\nabc\r\nPONG\r\nPING\r\nZZZ\r\n')
  await client.end()
  t.strictSame(lines.slice(1), [
    '<<- [CONNECT {"verbose":false,"pedantic":true,"headers":true,"user":"u","pass":"[REDACTED]","auth_token":"[REDACTED]","PASS":"[REDACTED]"}]',
    '<<- [SUB a 1]', '<<- [SUB a.* q 2]', '<<- [UNSUB 2]', '<<- [UNSUB 1 5]', '<<- [PUB a r 2]', '<<- MSG_PAYLOAD: ["hi"]', '->> [MSG a 1 r 2]',
    '<<- [HPUB a 2 3]', '<<- MSG_PAYLOAD: ["abc"]', '->> [HMSG a 1 2 3]', '<<- [PONG]', '<<- [PING]', '->> [PONG]', "->> [-ERR 'Unknown Protocol Operation']"
  ])
  t.match(lines[0], /^->> \[INFO \{/)
})

t.test('a CONNECT that nobody can read is not shown', async (t) => {
  t.equal(maskConnect('{"pass":"secret"'), '[REDACTED]')
  for (const json of ['"secret"', '["secret"]', '12', 'null']) t.equal(maskConnect(json), '[REDACTED]', json)
})

t.test('of a CONNECT only what is no secret is shown', async (t) => {
  const seed = Buffer.from(createUser().getSeed()).toString()
  const rows: [string, string][] = [
    ['{"pass":"","jwt":"x"}', '{"pass":"","jwt":"[REDACTED]"}'],
    ['{"password":"x","token":"y","echo":false}', '{"password":"[REDACTED]","token":"[REDACTED]","echo":false}'],
    ['{"name":{"pass":"x"},"user":["x"],"lang":null}', '{"name":"[REDACTED]","user":"[REDACTED]","lang":"[REDACTED]"}'],
    [`{"nkey":"${seed}","user":"${seed}"}`, '{"nkey":"[REDACTED]","user":"[REDACTED]"}'],
    ['{"User":"ann","nkey":"UA"}', '{"User":"ann","nkey":"UA"}'],
    ['{"__proto__":"x","constructor":"y"}', '{"__proto__":"[REDACTED]","constructor":"[REDACTED]"}']
  ]
  for (const [json, shown] of rows) t.equal(maskConnect(json), shown)
})
