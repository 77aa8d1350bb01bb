import fc from 'fast-check'
import t from 'tap'
import { decodeText, detach, encodeText, quote } from '../../lib/wire/text.ts'

t.test('UTF-8 goes to latin1 text and back', async (t) => {
  for (const text of ['', 'plain', 'é', '€', '𝄞', '\ufeffBOM', '\u2028']) {
    t.equal(decodeText(encodeText(text)), text)
    t.equal(encodeText(text).length, Buffer.byteLength(text))
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
    const wellFormed = Buffer.from(text).toString()
    return decodeText(encodeText(text)) === wellFormed
  }))
})

t.test('bytes that are no UTF-8 have no text', async (t) => {
  for (const bytes of ['\x80', '\xff', '\xc3', '\xc0\xaf', '\xed\xa0\x80', 'a\xe2\x82']) t.equal(decodeText(bytes), null)
})

t.test('a detached copy is equal', async (t) => {
  t.equal(detach('\x00abc\xff'), '\x00abc\xff')
})

t.test('quotes as %q of Go does', async (t) => {
  // Made with fmt.Sprintf("%q").
  const rows: [string, string][] = [
    ['foo.bar', '"foo.bar"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['\x07\b\f\n\r\t\v', '"\\a\\b\\f\\n\\r\\t\\v"'],
    ['\x00\x1f\x7f', '"\\x00\\x1f\\x7f"'],
    ['é€𝄞', '"é€𝄞"'],
    ['\u00a0\u2028\ufeff', '"\\u00a0\\u2028\\ufeff"'],
    ['\u{e0001}', '"\\U000e0001"'],
    ['\u0301', '"\u0301"']
  ]
  for (const [text, quoted] of rows) t.equal(quote(encodeText(text)), encodeText(quoted))
  t.equal(quote('a\xffb\xc3'), '"a\\xffb\\xc3"', 'bytes that are no UTF-8')
})
