/**
 * A topic filter with `+` for each level that a Redis package may take for more than itself: it hands filters to Redis as
 * globs (`* ? [ ] \`), and mqemitter-redis counts them in a plain object. It matches more; who uses it looks again.
 */
export function safeFilter (topicFilter: string): string {
  if (topicFilter in {}) return '+'
  return /[*?[\]\\]/.test(topicFilter) ? topicFilter.split('/').map((level) => /[*?[\]\\]/.test(level) ? '+' : level).join('/') : topicFilter
}
