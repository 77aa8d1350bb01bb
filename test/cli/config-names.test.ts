import t, { type Test } from 'tap'
import { readConfig } from '../../lib/cli/config.ts'
import type { GatewayOptions } from '../../lib/index.ts'
import { problems } from './problems.ts'

function read (t: Test, text: string): GatewayOptions {
  return readConfig(`${t.testdir({ 'nats.conf': text })}/nats.conf`, {}).gateway
}

t.test('replies, publish and mapping are blocks with keys of one\'s own, in their case', async (t) => {
  t.strictSame(read(t, `
    replies { "devices/+/cmd": "devices/+/cmd/reply", 'Lamps/+': lamps/+/state }
    reply_timeout: "2s"
    publish {
      "alarms.>" { qos: 1 }
      state.* = { qos: 0, retain: true }
      plain {}
    }
    mapping { "iot.": "things/", "Factory.": "plant/7/" }
    mapping_only: true
    retained: true
  `), {
    retained: true,
    mappingOnly: true,
    replyTimeout: 2000,
    replies: { 'devices/+/cmd': 'devices/+/cmd/reply', 'Lamps/+': 'lamps/+/state' },
    publish: { 'alarms.>': { qos: 1 }, 'state.*': { qos: 0, retain: true }, plain: {} },
    mapping: { 'iot.': 'things/', 'Factory.': 'plant/7/' }
  })
})

t.test('listeners are an array of blocks', async (t) => {
  t.strictSame(read(t, 'mountpoint: "${username}/"\nlisteners [ { port: 4223, mountpoint: "factory/" }, { listen: "127.0.0.1:-1" }\n { net: h, port: 4224, mountpoint: "" } ]'), { // eslint-disable-line no-template-curly-in-string -- that is how it is written
    mountpoint: '${username}/', // eslint-disable-line no-template-curly-in-string -- as above
    listeners: [{ port: 4223, mountpoint: 'factory/' }, { port: 0, host: '127.0.0.1' }, { port: 4224, host: 'h', mountpoint: '' }]
  })
})

t.test('what is wrong is reported with its line', async (t) => {
  const rows: [string, string][] = [
    ['replies: x', 'replies is "x": allowed is a block in braces'],
    ['replies { "a/#": b }', "replies has 'a/#' with 'b': allowed is an object of topic filters without # with a topic each, in which + stands for a level that + left open in the filter"],
    ['replies { a: "+" }', "replies has 'a' with '+': allowed is an object of topic filters without # with a topic each, in which + stands for a level that + left open in the filter"],
    ['replies { a: 1 }', 'a is 1: allowed is a string'],
    ['publish { a: 1 }', 'a is 1: allowed is a block in braces'],
    ['publish { a { qos: 3 } }', 'qos is 3: allowed is 0, 1 or 2'],
    ['publish { a { qos: x } }', 'qos is "x": allowed is a whole number'],
    ['publish { a { retain: 1 } }', 'retain is 1: allowed is true or false'],
    ['publish { a { retained: true } }', "unknown key 'retained': known are qos, retain"],
    ['publish { "a..b" {} }', "publish has 'a..b': allowed is an object of subject filters with { qos: 0, 1 or 2, retain: true or false } each"],
    ['mapping []', 'mapping is an array: allowed is a block in braces'],
    ['mapping { a: "b/" }', "mapping: 'a' is no subject prefix: it must be '' or end with '.', and its tokens must be those of a topic"],
    ['mapping { "a.": b }', "mapping: 'b', which 'a.' leads to, is no topic prefix: it must be '' or end with '/', without '+', '#' and NUL"],
    ['mapping_only: 1', 'mapping_only is 1: allowed is true or false'],
    ['retained: x', 'retained is "x": allowed is true or false'],
    ['reply_timeout: 5', 'reply_timeout is 5: allowed is a duration in quotes such as "10s", "500ms" or "1h30m"'],
    ['reply_timeout: "0s"', 'reply_timeout is "0s": allowed is a whole number from 1 to 2147483647 milliseconds'],
    ['mountpoint: 1', 'mountpoint is 1: allowed is a string'],
    ['mountpoint: "a"', 'mountpoint is "a", with no / at its end: allowed is a topic prefix that ends with /'],
    ['listeners: 4223', 'listeners is 4223: allowed is an array in brackets'],
    ['listeners [ 4223 ]', 'listeners is 4223: allowed is a block in braces'],
    ['listeners [ { host: h } ]', 'a listener has no port'],
    ['listeners [ { port: 70000 } ]', 'port is 70000: allowed is a port from 0 to 65535, or -1 for any free one'],
    ['listeners [ { port: 1, mountpoint: "+/" } ]', 'mountpoint is "+/", with a wildcard or a control character: allowed is a topic prefix that ends with /'],
    ['listeners [ { port: 1, tls: true } ]', "unknown key 'tls': known are listen, host, port, mountpoint"]
  ]
  for (const [text, problem] of rows) t.strictSame(problems(t, `\n${text}`), [`nats.conf:2: ${problem}`], text)
  t.strictSame(problems(t, 'mapping {\n "a.": "x/"\n "b.": "y/"\n "c.": "x/"\n}'), ["nats.conf:4: mapping: 'a.' and 'c.' both lead to topics that begin with 'x/'"])
  t.match(problems(t, 'publish {\n a { qos: 9 }\n b: 1\n}\nreplies {\n "#": a\n}'), [/^nats\.conf:2: qos/, /^nats\.conf:3: b/, /^nats\.conf:6: replies has '#'/])
})
