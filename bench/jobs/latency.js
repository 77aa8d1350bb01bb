// Request and reply, one at a time, between two NATS connections. Both ends live in this process, so that a round trip
// holds four wake-ups of it and four of the server, and no library.
import { NatsClient } from '../clients.js'
import { natsMsg, natsPub } from '../frames.js'

const subject = 'bench.subject'
const inbox = '_INBOX.bench.reply'
const size = 16

export async function latency (job, fail) {
  const responder = await NatsClient.open((job.far ?? job).nats, fail)
  const requester = await NatsClient.open(job.nats, fail)
  await responder.subscribe(subject, natsMsg(subject, 1, size, inbox))
  await requester.subscribe(inbox, natsMsg(inbox, 1, size))

  const answer = natsPub(inbox, size)
  let answered = 0
  responder.onchunk = () => {
    if (responder.got === answered || responder.rest > 0) return
    answered = responder.got
    responder.socket.write(answer)
  }

  await requests(job.warmRequests)
  const sorted = (await requests(job.requests)).sort()
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return { figures: { p50: at(0.5), p99: at(0.99) } }

  // The round trips in microseconds.
  function requests (count) {
    const request = natsPub(subject, size, inbox)
    const times = new Float64Array(count)
    return new Promise((resolve, reject) => {
      let done = 0
      let before = -1
      let began
      // A timer for each request would be part of what is measured.
      const watch = setInterval(() => {
        if (done === before) reject(new Error(`request ${done} of ${count} was not answered`))
        before = done
      }, job.stallSeconds * 1000)
      const next = () => {
        began = process.hrtime.bigint()
        requester.socket.write(request)
      }
      let seen = requester.got
      requester.onchunk = () => {
        if (requester.got === seen || requester.rest > 0) return
        seen = requester.got
        times[done++] = Number(process.hrtime.bigint() - began) / 1e3
        if (done < count) return next()
        clearInterval(watch)
        requester.onchunk = null
        resolve(times)
      }
      next()
    })
  }
}
