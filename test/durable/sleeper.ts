// A node in a process of its own, told what to do line by line on its standard input.
import { createInterface } from 'node:readline'
import { openStore, startRig } from './redis-rig.ts'
import { group, ids } from './store-suite.ts'

const teardown = { teardown: () => {} }
const { broker } = await startRig(teardown, process.argv[2] as string, { empty: false })
const { store, told } = await openStore(teardown, broker, { url: process.argv[2] as string })
const claimed = await store.claim(group, 100)
console.log(`claimed ${claimed.length}`)
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'ack') continue
  console.log(`acknowledged ${await store.ack(group, ids(claimed))}`)
  await told.until(() => told.losses.includes(group))
  console.log(`lost, then claimed ${(await store.claim(group, 1000)).length}`)
  break
}
