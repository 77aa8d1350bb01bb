import type { Bridge } from '../broker/bridge.ts'
import type { PublishPacket } from '../broker/host.ts'
import type { Router } from './router.ts'

/** From the broker to NATS: packets of MQTT clients, of the host and of other nodes. */
export class Inbound {
  /** Packets whose topic holds NUL, which has no subject. */
  dropped = 0
  private readonly router: Router
  private readonly bridge: Bridge

  constructor (router: Router, bridge: Bridge) {
    this.router = router
    this.bridge = bridge
  }

  // hot: once per message from the broker
  receive (packet: PublishPacket, natsBorn: boolean): void {
    const route = this.router.routeOfTopic(packet.topic, natsBorn)
    if (route === null) {
      this.dropped++
      return
    }
    if (packet.qos > 0 && route.wake()) return
    if (route.hasReceivers) route.deliver(this.bridge.messageOf(packet, route.subject), null)
  }
}
