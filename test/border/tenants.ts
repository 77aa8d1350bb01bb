import { connect as connectLibrary, type NatsConnection } from '@nats-io/transport-node'
import type { GatewayOptions } from '../../lib/index.ts'
import type { Spaces } from '../../lib/routing/spaces.ts'
import { type Host, startHost, type Teardown, type versions } from '../helper/brokers.ts'
import type { RawClient } from '../helper/raw.ts'

/* eslint-disable no-template-curly-in-string -- placeholders of the option mountpoint */

/** A listener where every user is a tenant, and one without a mountpoint. */
export const tenants: GatewayOptions = { mountpoint: '${username}/', listeners: [{ port: 0, mountpoint: '' }] }

export interface TenantHost extends Host {
  /** That of the listener without a mountpoint. */
  readonly openPort: number
}

export async function startTenants (t: Teardown, create: typeof versions[number]['create'], nats: GatewayOptions = {}): Promise<TenantHost> {
  const host = await startHost(t, { create, nats: { ...tenants, ...nats } })
  return { ...host, openPort: openPortOf(host) }
}

export function openPortOf ({ gateway }: Host): number {
  return gateway.listeners.tcp[1]?.port as number
}

/** The official client. */
export async function library (t: Teardown, port: number, user?: string): Promise<NatsConnection> {
  const nats = await connectLibrary({ port, reconnect: false, ...user === undefined ? {} : { user } })
  t.teardown(() => nats.close())
  return nats
}

export function pub (subject: string, payload = '', reply = ''): string {
  return `PUB ${subject} ${reply === '' ? '' : `${reply} `}${payload.length}\r\n${payload}\r\n`
}

export function hpub (subject: string, header: string, payload: string): string {
  const block = `NATS/1.0\r\n${header}\r\n\r\n`
  return `HPUB ${subject} ${block.length} ${block.length + payload.length}\r\n${block}${payload}\r\n`
}

export interface Frame {
  readonly sid: string
  readonly subject: string
  readonly reply: string
  readonly header: string
  readonly payload: string
}

/** The MSG and HMSG of a text. */
export function framesOf (text: string): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < text.length;) {
    const [line = '', verb, subject = '', sid = '', reply = '', headerSize = '0', size = '0'] =
      /^(MSG|HMSG) (\S+) (\S+) (?:(\S+) )??(?:(?<=^H.*)(\d+) )?(\d+)\r\n/.exec(text.slice(at)) ?? []
    if (verb === undefined) throw new Error(`no message: ${text.slice(at, at + 200)}`)
    const start = at + line.length
    frames.push({ sid, subject, reply, header: text.slice(start, start + Number(headerSize)), payload: text.slice(start + Number(headerSize), start + Number(size)) })
    at = start + Number(size) + 2
  }
  return frames
}

function lineOf ({ sid, subject, reply, payload }: Frame): string {
  return [sid, subject, ...reply === '' ? [] : [reply], payload].join(' ')
}

/** What has come up to the answer to a PING: `sid subject payload`, and a reply subject after the subject, sorted. */
export async function got (client: RawClient): Promise<string[]> {
  return framesOf(await client.fence()).map(lineOf).sort()
}

/** The next messages, of one line each, as they come: sorted, as `got` has them. */
export async function take (client: RawClient, count: number): Promise<string[]> {
  const lines: string[] = []
  while (lines.length < count) lines.push(lineOf(await next(client)))
  return lines.sort()
}

/** The next message, of one line. */
export async function next (client: RawClient): Promise<Frame> {
  const [frame] = framesOf(await client.expect(/MSG [^\r]*\r\n[^\r]*\r\n|HMSG [^]*?\r\n\r\n[^\r]*\r\n/))
  return frame as Frame
}

/** The mountpoints that a gateway keeps something for, and the topic filters that it listens to. */
export function kept ({ gateway }: Host): { mountpoints: string[], topicFilters: string[] } {
  const { services: { spaces }, inlet } = gateway as unknown as { services: { spaces: Spaces }, inlet: { registrations: Map<string, object> } }
  const { mounted } = spaces as unknown as { mounted: Map<string, object> }
  return { mountpoints: [...mounted.keys()].sort(), topicFilters: [...inlet.registrations.keys()].sort() }
}
