import t from 'tap'
import { parseDuration } from '../../lib/cli/durations.ts'

t.test('durations are those of Go', async (t) => {
  const rows: [string, number | null][] = [
    ['10s', 10_000], ['2m', 120_000], ['1h30m', 5_400_000], ['500ms', 500], ['1.5h', 5_400_000], ['.5s', 500], ['5.s', 5000], ['1h2m3s4ms', 3_723_004],
    ['+5s', 5000], ['-2s', -2000], ['0', 0], ['-0', 0], ['0s', 0], ['1us', 1], ['1µs', 1], ['1μs', 1], ['1ns', 1], ['-1ns', -1], ['1500us', 2], ['0.1s', 100],
    ['', null], ['5', null], ['s', null], ['.s', null], ['5s5', null], ['5 s', null], ['5x', null], ['1d', null], ['5S', null], ['--5s', null], ['1e3s', null]
  ]
  t.equal(parseDuration('1'.repeat(100_000)), null)
  for (const [text, value] of rows) t.equal(parseDuration(text), value, text)
})
