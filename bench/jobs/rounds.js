// A round publishes n messages and waits until every receiver has them all; several make a warm-up and a measurement.

export class Rounds {
  // `receivers` end a round. `also` is one more receiver, whose losses are reported and do not fail the round.
  constructor ({ publisher, receivers, also = null, stallSeconds }) {
    this.publisher = publisher
    this.receivers = receivers
    this.also = also
    this.stallSeconds = stallSeconds
    this.alsoLost = 0
  }

  // Rounds that grow until one lasts a third of `seconds`: the server's code is compiled then, its buffers have grown,
  // and its rate is known. Without knowing it, a count that suits nats-server would keep the bridge busy for a minute.
  async warmUp (seconds, first) {
    const enough = seconds / 3
    for (let n = first; ;) {
      const took = (await this.run(n)).all
      if (took >= enough) return n / took
      n = Math.ceil(n * Math.min(8, Math.max(2, enough / took)))
    }
  }

  // From the first publish to the last receipt, in seconds: of the receivers, of the one more, of all of them.
  async run (n) {
    const { publisher, receivers, also } = this
    const began = process.hrtime.bigint()
    const since = (time) => Number(time - began) / 1e9
    const main = Promise.all(receivers.map((client) => client.receive(n)))
      .then((times) => Math.max(...times.map(since)))
    const extra = also === null ? null : also.receive(n).then(since)
    publisher.send(n)
    const took = await this.unlessStalled(main, receivers)
    if (took === null) throw new Error(`LOST ${missing(receivers)} of ${n * receivers.length} messages`)
    let alsoTook = null
    if (also !== null) {
      alsoTook = await this.unlessStalled(extra, [also])
      if (alsoTook === null) this.alsoLost += missing([also])
    }
    await this.noneTooMany()
    return { main: took, also: alsoTook, all: Math.max(took, alsoTook ?? 0) }
  }

  // Null when nothing has arrived for a while.
  async unlessStalled (promise, clients) {
    let timer
    const total = () => clients.reduce((sum, client) => sum + client.got, 0)
    const stalled = new Promise((resolve) => {
      let before = total()
      let quiet = 0
      timer = setInterval(() => {
        const now = total()
        quiet = now === before ? quiet + 0.25 : 0
        before = now
        if (quiet >= this.stallSeconds) resolve(null)
      }, 250)
    })
    const result = await Promise.race([promise, stalled])
    clearInterval(timer)
    return result
  }

  // A bridge that loops, or a server that delivers twice, would look fast.
  async noneTooMany () {
    await Promise.all(this.receivers.map((client) => client.fence()))
    const surplus = -missing(this.receivers)
    if (surplus > 0) throw new Error(`${surplus} messages MORE than were published`)
  }
}

function missing (clients) {
  return clients.reduce((sum, client) => sum + client.want - client.got, 0)
}
