import type { HostLink } from '../../lib/broker/link.ts'
import { resolveOptions } from '../../lib/options.ts'
import { type Space, Spaces } from '../../lib/routing/spaces.ts'

/** The space of a gateway without a mountpoint that nobody listens through. */
export function spaceOf (link: HostLink): Space {
  return new Spaces(link, { add () {}, remove () {} }, resolveOptions({})).main
}
