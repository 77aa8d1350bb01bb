import t from 'tap'
import { QueueOrder } from '../../lib/broker/queue-order.ts'

t.test('a registration waits for the removals before it, and everything behind it for the registration', async (t) => {
  const order = new QueueOrder()
  const ran: string[] = []
  const ends: (() => void)[] = []
  order.add(() => { ran.push('add 1') })
  order.remove((done) => {
    ran.push('remove 1')
    ends.push(done)
  })
  order.remove((done) => {
    ran.push('remove 2')
    ends.push(done)
  })
  order.add(() => { ran.push('add 2') })
  order.remove((done) => {
    ran.push('remove 3')
    done()
  })
  order.add(() => { ran.push('add 3') })
  t.strictSame(ran, ['add 1', 'remove 1', 'remove 2'])
  ends[1]?.()
  t.equal(ran.length, 3)
  ends[0]?.()
  t.strictSame(ran, ['add 1', 'remove 1', 'remove 2', 'add 2', 'remove 3', 'add 3'])
})

t.test('all that waits can be let go', async (t) => {
  const order = new QueueOrder()
  const ran: number[] = []
  order.remove(() => { ran.push(1) })
  order.add(() => { ran.push(2) })
  order.remove(() => { ran.push(3) })
  t.strictSame(ran, [1])
  order.release()
  t.strictSame(ran, [1, 2, 3])
})
