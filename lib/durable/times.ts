/** How long things take in a store, in milliseconds. */
export interface StoreTimes {
  /** Between two renewals of a node's lease. */
  readonly renewal: number
  /** After which a lease that was not renewed has ended. */
  readonly lease: number
  /** For others to renew theirs after Redis was away, before anything of them is taken back. */
  readonly grace: number
  /** For an answer of Redis, and of the host's persistence. */
  readonly patience: number
  /** Between two looks at what expired and what is too much. */
  readonly janitor: number
  /** Between two times of saying that members are present. */
  readonly presence: number
}

export const storeTimes: StoreTimes = { renewal: 1000, lease: 3000, grace: 3000, patience: 3000, janitor: 10_000, presence: 10_000 }
