import net, { type AddressInfo, type Socket } from 'node:net'
import type { Teardown } from '../helper/brokers.ts'

/** A way to a port of this machine that can be cut. */
export class Proxy {
  private readonly server: net.Server
  private readonly sockets = new Set<Socket>()
  private isCut = false

  private constructor (target: number) {
    this.server = net.createServer((socket) => {
      if (this.isCut) {
        socket.destroy()
        return
      }
      const far = net.connect(target, '127.0.0.1')
      socket.pipe(far).pipe(socket)
      for (const [each, other] of [[socket, far], [far, socket]] as const) {
        this.sockets.add(each)
        each.on('error', () => {})
        each.on('close', () => {
          this.sockets.delete(each)
          other.destroy()
        })
      }
    })
  }

  static async start (t: Teardown, target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    await new Promise<void>((resolve) => { proxy.server.listen(0, '127.0.0.1', resolve) })
    t.teardown(() => {
      proxy.cut()
      proxy.server.close()
    })
    return proxy
  }

  get port (): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Ends the connections, and lets nobody through. */
  cut (): void {
    this.isCut = true
    for (const socket of this.sockets) socket.destroy()
  }

  mend (): void {
    this.isCut = false
  }
}
