// Frames of a client, as bytes and as what the parser says of them. Each row is also run in lower case, cut at every
// byte, and (where nats-server is installed) compared with what it does.

export interface FrameRow {
  readonly name: string
  /** Latin1 text. */
  readonly bytes: string
  /** What the sink is told, one line a call. */
  readonly calls: readonly string[]
  /** Options of the parser that are not the defaults. */
  readonly headers?: boolean
  readonly pedantic?: boolean
}

const e = 'é'

export const frames: readonly FrameRow[] = [
  { name: 'PING', bytes: 'PING\r\n', calls: ['ping'] },
  { name: 'PING with LF alone', bytes: 'PING\n', calls: ['ping'] },
  { name: 'PING with anything behind it', bytes: 'PINGxyz 1 2\r\r\n', calls: ['ping'] },
  { name: 'PONG', bytes: 'PONG\r\n', calls: ['pong'] },
  { name: '+OK is ignored', bytes: '+OK whatever\r\nPING\r\n', calls: ['ping'] },
  { name: 'several in a row', bytes: 'PING\r\nPING\r\nPONG\r\n', calls: ['ping', 'ping', 'pong'] },
  { name: 'mixed case', bytes: 'pInG\r\npONG\r\n', calls: ['ping', 'pong'] },

  { name: 'CONNECT', bytes: 'CONNECT {"verbose":false}\r\n', calls: ['connect {"verbose":false}'] },
  { name: 'CONNECT without a blank', bytes: 'CONNECT{}\r\n', calls: ['connect {}'] },
  { name: 'CONNECT with many blanks', bytes: 'CONNECT \t  {} \r\n', calls: ['connect {} '] },
  { name: 'CONNECT with nothing', bytes: 'CONNECT \r\n', calls: ['connect \r'] },

  { name: 'INFO is read and ignored', bytes: 'INFO {"a":1}\r\nPING\r\n', calls: ['ping'] },
  { name: 'INFO that is no JSON', bytes: 'INFO {\r\nPING\r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'INFO that is no object', bytes: 'INFO 5\r\nPING\r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: '-ERR', bytes: "-ERR 'boom'\r\nPING\r\n", calls: ['fail NATS_ERR_PEER'] },
  { name: '-ERR without a blank', bytes: "-ERR'boom'\r\n", calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },

  { name: 'SUB', bytes: 'SUB foo 1\r\n', calls: ['sub foo - 1'] },
  { name: 'SUB with a queue group', bytes: 'SUB foo.* q.1 abc-1_X\r\n', calls: ['sub foo.* q.1 abc-1_X'] },
  { name: 'SUB with blanks and tabs', bytes: 'SUB \t foo\t\t 1  \r\n', calls: ['sub foo - 1'] },
  { name: 'SUB with a CR between', bytes: 'SUB foo\r1\r\n', calls: ['sub foo - 1'] },
  { name: 'SUB with LF alone', bytes: 'SUB foo 1\n', calls: ['sub foo - 1'] },
  { name: 'SUB of bytes above ASCII', bytes: `SUB ${e}\x01 1\r\n`, calls: [`sub ${e}\x01 - 1`] },
  { name: 'SUB with no argument', bytes: 'SUB\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'SUB with a blank alone', bytes: 'SUB \r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'SUB with one argument', bytes: 'SUB foo\r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'SUB with four arguments', bytes: 'SUB a b c 22\r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'SUBZZZ', bytes: 'SUBZZZ foo 1\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },

  { name: 'UNSUB', bytes: 'UNSUB 1\r\n', calls: ['unsub 1 -1'] },
  { name: 'UNSUB with a blank behind', bytes: 'UNSUB 1 \r\n', calls: ['unsub 1 -1'] },
  { name: 'UNSUB with max', bytes: 'UNSUB 1 5\r\n', calls: ['unsub 1 5'] },
  { name: 'UNSUB with a bad max', bytes: 'UNSUB 1 -5\r\n', calls: ['unsub 1 -1'] },
  { name: 'UNSUB with no argument', bytes: 'UNSUB\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'UNSUB with three arguments', bytes: 'UNSUB 1 2 3\r\n', calls: ['fail NATS_ERR_MALFORMED'] },

  { name: 'PUB', bytes: 'PUB foo 5\r\nhello\r\n', calls: ['pub foo 0/5 5|hello|'] },
  { name: 'PUB with a reply', bytes: 'PUB foo bar 5\r\nhello\r\n', calls: ['pub foo >bar 0/5 bar 5|hello|'] },
  { name: 'PUB of nothing', bytes: 'PUB foo 0\r\n\r\n', calls: ['pub foo 0/0 0||'] },
  { name: 'PUB with a leading zero', bytes: 'PUB foo 005\r\nhello\r\n', calls: ['pub foo 0/5 005|hello|'] },
  { name: 'PUB with blanks as nats.py writes them', bytes: 'PUB foo  5\r\nhello\r\n', calls: ['pub foo 0/5 5|hello|'] },
  { name: 'PUB with blanks and tabs', bytes: 'PUB\t \tfoo\t \t \tbar\t \t5\t \t\r\nhello\r\n', calls: ['pub foo >bar 0/5 bar 5|hello|'] },
  { name: 'PUB with LF alone behind the line', bytes: 'PUB foo 5\nhello\r\n', calls: ['pub foo 0/5 5|hello|'] },
  { name: 'PUB of protocol text', bytes: 'PUB foo 13\r\nPING\r\n\r\n\0PUB \r\n', calls: ['pub foo 0/13 13|PING\r\n\r\n\0PUB |'] },
  { name: 'PUB of bytes above ASCII', bytes: `PUB foo 2\r\n${e}ÿ\r\n`, calls: [`pub foo 0/2 2|${e}ÿ|`] },
  { name: 'PUB with a control character in the subject', bytes: 'PUB a\x01b 1\r\nx\r\n', calls: ['pub a\x01b 0/1 1|x|'] },
  { name: 'PUB with a CR in the subject', bytes: 'PUB a\rb 1\r\nx\r\n', calls: ['pub a\rb 0/1 1|x|'] },
  { name: 'PUB, then more', bytes: 'PUB foo 1\r\nx\r\nPUB bar 1\r\ny\r\nPING\r\n', calls: ['pub foo 0/1 1|x|', 'pub bar 0/1 1|y|', 'ping'] },
  { name: 'PUB without a size', bytes: 'PUB foo\r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'PUB with four arguments', bytes: 'PUB a b c 1\r\nx\r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'PUB with a negative size', bytes: 'PUB foo -1\r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'PUB with a size of ten digits', bytes: 'PUB foo 1234567890\r\n', calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'PUB with too large a size', bytes: 'PUB foo 999999999\r\n', calls: ['fail NATS_ERR_MAX_PAYLOAD'] },
  { name: 'PUB with a longer payload', bytes: 'PUB foo 2\r\nabc\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'PUB with LF behind the payload', bytes: 'PUB foo 2\r\nab\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'PUB with CR alone behind the payload', bytes: 'PUB foo 2\r\nab\rx', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'PUBS', bytes: 'PUBS foo 2\r\nok\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'PUB of a pedantic client', bytes: 'PUB foo.* 2\r\nok\r\n', pedantic: true, calls: ['publishing foo.*', 'pub foo.* 0/2 2|ok|'] },

  { name: 'HPUB', bytes: 'HPUB foo 12 14\r\nName:Derek\r\nOK\r\n', headers: true, calls: ['pub foo 12/14 12 14|Name:Derek\r\nOK|'] },
  { name: 'HPUB with a reply', bytes: 'HPUB foo r.x 12 14\r\nName:Derek\r\nOK\r\n', headers: true, calls: ['pub foo >r.x 12/14 r.x 12 14|Name:Derek\r\nOK|'] },
  { name: 'HPUB with blanks and tabs', bytes: 'HPUB\t foo\t\tbar\t12 \t 14 \r\nName:Derek\r\nOK\r\n', headers: true, calls: ['pub foo >bar 12/14 bar 12 14|Name:Derek\r\nOK|'] },
  { name: 'HPUB with no header block', bytes: 'HPUB foo 0 2\r\nok\r\n', headers: true, calls: ['pub foo 0/2 2|ok|'] },
  { name: 'HPUB with leading zeros', bytes: 'HPUB foo 02 03\r\nabc\r\n', headers: true, calls: ['pub foo 2/3 02 03|abc|'] },
  { name: 'HPUB of a pedantic client', bytes: 'HPUB foo.> 1 2\r\nok\r\n', headers: true, pedantic: true, calls: ['publishing foo.>', 'pub foo.> 1/2 1 2|ok|'] },
  { name: 'HPUB with a header block larger than all', bytes: 'HPUB foo 20 14\r\n', headers: true, calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'HPUB with one size', bytes: 'HPUB foo 14\r\n', headers: true, calls: ['fail NATS_ERR_MALFORMED'] },
  { name: 'HPUB with too large a size', bytes: 'HPUB foo 12 999999999\r\n', headers: true, calls: ['fail NATS_ERR_MAX_PAYLOAD'] },
  { name: 'HPUB without header support', bytes: 'HPUB foo 12 14\r\nName:Derek\r\nOK\r\n', calls: ['fail NATS_ERR_MALFORMED'] },

  { name: 'an unknown verb', bytes: 'ZZZ', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'a verb that turns out to be unknown', bytes: 'PZ', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'MSG from a client', bytes: 'MSG foo 1 1\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'HMSG from a client', bytes: 'HMSG foo 1 1 1\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'RS+ from a client', bytes: 'RS+ $G foo\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'an empty line', bytes: '\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'a blank in front', bytes: ' PING\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] },
  { name: 'a control character that differs from + by one bit', bytes: '\x0bOK\r\n', calls: ['fail NATS_ERR_UNKNOWN_OPERATION'] }
]
