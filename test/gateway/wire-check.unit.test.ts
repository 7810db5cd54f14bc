import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WireCheck } from '../../gateway/wire-check.ts';

function check(...chunks: string[]) {
  const wireCheck = new WireCheck();
  for (const chunk of chunks) wireCheck.push(Buffer.from(chunk, 'latin1'));
  return wireCheck.end();
}

describe('WireCheck', () => {
  it('passes lines of up to 998 bytes that end with CRLF', () => {
    assert.equal(check(), undefined);
    assert.equal(check(`${'x'.repeat(998)}\r\n\r\n.\r\n\xff\r\n`), undefined);
  });

  it('names what is wrong', () => {
    assert.equal(check('a\nb\r\n'), 'bareLineEnd');
    assert.equal(check('\n'), 'bareLineEnd');
    assert.equal(check('a\rb\r\n'), 'bareLineEnd');
    assert.equal(check('a\r\r\n'), 'bareLineEnd');
    assert.equal(check('a\r'), 'bareLineEnd');
    assert.equal(check('a\0b\r\n'), 'nulByte');
    assert.equal(check(`${'x'.repeat(999)}\r\n`), 'lineTooLong');
  });

  it('SM-17: finds the same wherever the chunks are cut, and what a regular expression finds', () => {
    const bytes = fc.array(fc.constantFrom('\r', '\n', '\r\n', '\0', '.', 'a'.repeat(500)), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(bytes, fc.nat(), (parts, cut) => {
        const text = parts.join('');
        const at = text.length === 0 ? 0 : cut % text.length;
        assert.equal(check(text.slice(0, at), text.slice(at)), check(text));
        const isClean = !/(?<!\r)\n|\r(?!\n)|\0|[^\r\n]{999}/.test(text);
        assert.equal(check(text) === undefined, isClean);
      }),
    );
  });
});
