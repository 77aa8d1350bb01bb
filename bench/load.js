// The load generator: a process of its own, forked anew by main.js for every figure, so that its heap and its
// compiled code start alike for each peer. It takes one job by message and answers { figures, errors } or { error }.
import { depth } from './jobs/depth.js'
import { backlog, stream } from './jobs/durable.js'
import { idle } from './jobs/idle.js'
import { latency } from './jobs/latency.js'
import { matching } from './jobs/matching.js'
import { patterns } from './jobs/patterns.js'
import { throughput } from './jobs/throughput.js'

const jobs = { backlog, depth, idle, latency, matching, patterns, stream, throughput }

process.once('message', async (job) => {
  let answer
  try {
    answer = await new Promise((resolve, reject) => {
      jobs[job.kind](job, reject).then(resolve, reject)
    })
  } catch (error) {
    answer = { error: error.message }
  }
  process.send(answer, () => process.exit(0))
})

process.once('disconnect', () => process.exit(1))
