import t from 'tap'
import { defaultConnectOptions as defaults, parseConnect } from '../../lib/wire/connect.ts'
import { encodeText } from '../../lib/wire/text.ts'

t.test('what is absent stays as it was', async (t) => {
  t.strictSame(parseConnect('{}', defaults), { ...defaults })
  t.strictSame(parseConnect('null', defaults), { ...defaults })
  const first = parseConnect('{"verbose":false,"name":"a"}', defaults)
  t.strictSame(first, { ...defaults, verbose: false, name: 'a' })
  t.strictSame(parseConnect('{"name":"b","verbose":null}', first ?? defaults), { ...defaults, verbose: false, name: 'b' })
})

t.test('names are known in any case, unknown ones ignored', async (t) => {
  t.equal(parseConnect('{"VERBOSE":false,"zzz":[1],"__proto__":{"verbose":true},"constructor":1}', defaults)?.verbose, false)
})

t.test('text is UTF-8', async (t) => {
  t.equal(parseConnect(encodeText('{"name":"é€"}'), defaults)?.name, 'é€')
  t.equal(parseConnect('{"user":"a\\ud800","name":"\\ud83d\\ude00\xff"}', defaults)?.user, 'a\ufffd')
  t.equal(parseConnect('{"name":"\\ud83d\\ude00\xff"}', defaults)?.name, '\u{1f600}\ufffd')
})

t.test('what Go cannot read ends the connection', async (t) => {
  for (const json of ['', '{bad}', '[]', '5', '"x"', 'true', '{"verbose":1}', '{"name":5}', '{"protocol":"1"}', '{"protocol":1.5}', '{} x', '{"headers":"true"}']) {
    t.equal(parseConnect(json, defaults), null, json)
  }
})
