import t from 'tap'
import { fuzz } from './fuzz/fuzzer.ts'

// As many as take some twenty seconds; `npm run fuzz` goes on for longer, with other seeds.
const cases = 1000
// Retained messages and filters of durable groups stay, as they should.
const mayGrow = 8 * 1024 * 1024

t.test('generated frames harm neither the process nor other connections, and are answered as nats-server answers them', async (t) => {
  const { failures, differences, growth, exchanges, ...findings } = await fuzz(t, { seed: 20_000, cases, log: (text) => { t.comment(text) } })
  t.strictSame(failures, [])
  t.strictSame(differences, [])
  t.equal(findings.cases, cases)
  t.ok(exchanges >= cases, `${exchanges} exchanges of bystanders`)
  t.ok(growth < mayGrow, `${growth} bytes more than when it was warm`)
})
