/** What an option may be, in words and as a test. */
export interface Check {
  readonly allowed: string
  readonly test: (value: unknown) => boolean
}

export function integer (low: number, high: number): Check {
  return {
    allowed: `a whole number from ${low} to ${high}`,
    test: (value) => Number.isInteger(value) && (value as number) >= low && (value as number) <= high
  }
}

export function isPlainObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
