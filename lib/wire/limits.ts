/** Version that INFO states: clients switch features on by it, so it names the nats-server that we behave like. */
export const serverVersion = '2.10.29'

/** Longest first wait for a PING, in milliseconds (server/const.go firstClientPingInterval). */
export const firstPingInterval = 2000

/** Share of the interval by which the first PING is delayed at random (server/client.go setFirstPingTimer). */
export const firstPingJitter = 0.2

/** Age at which a measured round trip is measured anew, in milliseconds (server/const.go DEFAULT_RTT_MEASUREMENT_INTERVAL). */
export const rttMaxAge = 3_600_000

/** Digits that a size may have (server/util.go parseSize). */
export const maxSizeDigits = 9

/** Share of `maxPending` above which whoever publishes to a connection is paused (server/client.go queueOutbound). */
export const stallShare = 0.75

/** Longest pause of a publisher for one read, in milliseconds (server/client.go stallTotalAllowed). */
export const maxStall = 10

/** Queue group that no client may join (server/server.go sysGroup). */
export const systemGroup = '_sys_'

/** Whether a reply subject is one that no client may use. */
export function isReservedReply (reply: string): boolean {
  // `_R_.` alone is reserved too, the others only with something behind them.
  return reply.startsWith('_R_.') || (reply.startsWith('$JS.ACK.') && reply.length > 8) || (reply.startsWith('_GR_.') && reply.length > 5)
}

/** Whether a subject is one that no client may publish to (server/gateway.go hasGWRoutedReplyPrefix). */
export function isReservedSubject (subject: string): boolean {
  return subject.startsWith('_GR_.') && subject.length > 5
}
