import { isNatsBorn, RemoteOrigin } from '../broker/identity.ts'
import type { PublishPacket } from '../broker/host.ts'
import type { Node, Producer } from '../routing/receiver.ts'
import type { Passage } from '../routing/spaces.ts'
import { decodeText } from '../wire/text.ts'

// What nodes say of a message besides what it holds, as bits, of six at the most.

/** Plain subscriptions get it. */
const plain = 1
/** Wildcards at the start of a filter do not match its subject. */
const hidden = 2
/** A NATS client published it. */
const natsBorn = 4
/** The node may not pass it on. */
const passed = 8
/** Whoever published it does not want it back. */
const noEcho = 16
/** It was published with the retain flag. */
const retain = 32

// hot: once per message for another node
export function marksOf (origin: PublishPacket | RemoteOrigin | null, isPlain: boolean, isHidden: boolean, producer: Producer | null, isPassed: boolean): number {
  return (isPlain ? plain : 0) + (isHidden ? hidden : 0) + (isPassed ? passed : 0) + (producer !== null && !producer.echo ? noEcho : 0) +
    (origin === null || isNatsBorn(origin) ? natsBorn : 0) + (origin?.retain === true ? retain : 0)
}

// hot: once per message from another node
/**
 * How a message comes from another node.
 *
 * @param mountpoint as latin1 text
 */
export function passageOf (mountpoint: string, queues: readonly string[], marks: number, from: Node): Passage {
  return {
    mountpoint: decodeText(mountpoint) ?? mountpoint,
    queues,
    isPlain: (marks & plain) !== 0,
    isHidden: (marks & hidden) !== 0,
    isNatsBorn: (marks & natsBorn) !== 0,
    isPassed: (marks & passed) !== 0,
    except: (marks & noEcho) === 0 ? null : from
  }
}

/** What messages of one client were published as. */
export class Origins {
  private readonly live: RemoteOrigin
  private readonly retained: RemoteOrigin

  /** @param clientId as latin1 text; empty where nobody knows */
  constructor (clientId: string) {
    const id = clientId === '' ? undefined : decodeText(clientId) ?? clientId
    this.live = new RemoteOrigin(id, false)
    this.retained = new RemoteOrigin(id, true)
  }

  // hot: once per message from another node
  of (marks: number): RemoteOrigin {
    return (marks & retain) === 0 ? this.live : this.retained
  }
}
