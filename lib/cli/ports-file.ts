import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'

/** The addresses that are listened on, as `server.address()` gives them. */
export interface Listeners {
  readonly nats: AddressInfo
  readonly monitoring?: AddressInfo | null
  readonly mqtt?: AddressInfo | null
  readonly websocket?: (AddressInfo & { readonly isSecure: boolean }) | null
}

type Interfaces = ReturnType<typeof networkInterfaces>

function isIPv6 (address: string): boolean {
  return address.includes(':')
}

/** The URLs of a listener: one for each address of this machine where it listens on all (nats-server's resolveHostPorts). */
export function urlsOf (scheme: string, { address, port }: AddressInfo, interfaces: Interfaces = networkInterfaces()): string[] {
  const all = Object.values(interfaces).flatMap((entries) => entries?.map((entry) => entry.address) ?? [])
  // Other than Go, Node listens on IPv4 alone where the address is 0.0.0.0.
  const hosts = address === '0.0.0.0' ? all.filter((host) => !isIPv6(host)) : address === '::' ? all : [address]
  return hosts.map((host) => `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`)
}

/** Removes a file unless someone else has put another in its place; it may also be a device. */
function remove (path: string, text: string): void {
  try {
    if (lstatSync(path).isFile() && readFileSync(path, 'utf8') === text) rmSync(path)
  } catch {
    // It is gone already, as it should.
  }
}

/**
 * Writes `nats-server_<pid>.ports`, which tells other programs the URLs of this server, into a directory.
 *
 * @returns what removes it.
 * @throws where it cannot be written.
 */
export function writePortsFile (directory: string, listeners: Listeners, pid = process.pid): () => void {
  const { nats, monitoring, mqtt, websocket } = listeners
  const urls = {
    nats: urlsOf('nats', nats),
    ...monitoring && { monitoring: urlsOf('http', monitoring) },
    ...mqtt && { mqtt: urlsOf('mqtt', mqtt) },
    ...websocket && { websocket: urlsOf(websocket.isSecure ? 'wss' : 'ws', websocket) }
  }
  const path = join(directory, `nats-server_${pid}.ports`)
  const text = JSON.stringify(urls)
  // Whoever waits for the file must not see half of it.
  writeFileSync(`${path}.tmp`, text)
  renameSync(`${path}.tmp`, path)
  return () => remove(path, text)
}

/**
 * Writes the process id to a file.
 *
 * @returns what removes it.
 * @throws where it cannot be written.
 */
export function writePidFile (path: string, pid = process.pid): () => void {
  const text = String(pid)
  writeFileSync(path, text, { mode: 0o640 })
  return () => remove(path, text)
}
