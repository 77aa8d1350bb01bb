import { readFileSync } from 'node:fs'
import t from 'tap'
import { createLog, timestamp } from '../../lib/cli/logger.ts'
import type { LogOptions, ServerLog } from '../../lib/cli/logger.ts'

const STAMP = /^\[77\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{6} /

function record (options: Partial<LogOptions> = {}): { log: ServerLog, lines: string[] } {
  const lines: string[] = []
  return { lines, log: createLog({ file: null, debug: false, trace: false, pid: 77, stderr: (line) => lines.push(line), ...options }) }
}

t.test('lines have nats-server\'s form', async (t) => {
  const { log, lines } = record({ debug: true, trace: true })
  log.fatal({}, 'a')
  log.error({}, 'b')
  log.warn({}, 'c')
  log.info({}, 'd')
  log.debug({}, 'e')
  log.trace({}, 'f')
  for (const line of lines) t.match(line, STAMP)
  t.strictSame(lines.map((line) => line.replace(STAMP, '')), ['[FTL] a\n', '[ERR] b\n', '[WRN] c\n', '[INF] d\n', '[DBG] e\n', '[TRC] f\n'])
})

t.test('debug and trace are written when they are on, which may change', async (t) => {
  const { log, lines } = record()
  log.debug({}, 'a')
  log.trace({}, 'b')
  log.levels.debug = true
  log.debug({}, 'c')
  log.trace({}, 'd')
  log.levels.trace = true
  log.levels.debug = false
  log.debug({}, 'e')
  log.trace({}, 'f')
  t.strictSame(lines.map((line) => line.replace(STAMP, '')), ['[DBG] c\n', '[TRC] f\n'])
})

t.test('details stand around the text', async (t) => {
  const { log, lines } = record()
  log.info({ client: 'cid:5', address: '127.0.0.1:33' }, 'connected')
  log.info({ address: '127.0.0.1:33' }, 'refused')
  log.error({ err: new Error('it broke') }, 'cannot listen')
  log.error({ err: new Error('it broke') }, 'it broke, sorry')
  log.error({ err: 'no error' }, 'x')
  log.warn({ port: 1, topic: 'a b', list: [1] }, 'text')
  t.strictSame(lines.map((line) => line.replace(STAMP, '')), [
    '[INF] 127.0.0.1:33 - cid:5 - connected\n',
    '[INF] 127.0.0.1:33 - refused\n',
    '[ERR] cannot listen: it broke\n',
    '[ERR] it broke, sorry\n',
    '[ERR] x\n',
    '[WRN] text port=1 topic=a b list=[ 1 ]\n'
  ])
})

t.test('nothing makes a line of its own', async (t) => {
  const { log, lines } = record()
  log.info({ client: 'x\n' }, 'a\r\n[1] [INF] b\u001b[31m\u007f\u0085\u2028é')
  t.strictSame(lines.map((line) => line.replace(STAMP, '')), ['[INF] x\\n - a\\r\\n[1] [INF] b\\u001b[31m\\u007f\\u0085\\u2028é\n'])
})

t.test('a file is appended to', async (t) => {
  const file = `${t.testdir({ log: 'before\n' })}/log`
  const { log, lines } = record({ file })
  log.info({}, 'a')
  log.close()
  log.close()
  log.info({}, 'b')
  t.match(readFileSync(file, 'utf8'), /^before\n\[77\] .* \[INF\] a\n$/)
  t.equal(lines.length, 1, 'a closed log goes on to stderr')
  t.throws(() => record({ file: t.testdirName }), { code: 'EISDIR' })
})

t.test('what a full disk does not take goes to stderr', { skip: process.platform !== 'linux' && 'there is no /dev/full' }, async (t) => {
  const { log, lines } = record({ file: '/dev/full' })
  log.info({}, 'a')
  t.match(lines[0], /\[INF\] a\n$/)
})

t.test('stderr and the process id are the default', async (t) => {
  const written = t.capture(process.stderr, 'write', () => true)
  createLog({ file: null, debug: false, trace: false }).info({}, 'a')
  t.match(written.args()[0]?.[0], new RegExp(`^\\[${process.pid}\\] .* \\[INF\\] a\n$`))
})

t.test('time is local and follows the clock when someone sets it', async (t) => {
  function shown (): number {
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0] = timestamp().split(/[/ :.]/).map(Number)
    return new Date(year, month - 1, day, hour, minute, second).getTime() + micros / 1000
  }
  t.ok(Math.abs(shown() - Date.now()) < 1000)
  const { now } = Date
  t.teardown(() => { Date.now = now })
  Date.now = () => now() + 86_400_000
  t.ok(Math.abs(shown() - Date.now()) < 1000)
  const first = shown()
  t.ok(shown() >= first)
})
