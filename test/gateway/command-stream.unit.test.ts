import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CommandStream } from '../../gateway/command-stream.ts';

interface Reading {
  commands: string[];
  isRefused: boolean;
}

/** Writes the chunks one after the other, and answers each command at once. */
async function read(chunks: Buffer[], skipAfterBdat = 0): Promise<Reading> {
  const reading: Reading = { commands: [], isRefused: false };
  const stream = new CommandStream({ maxCommandLength: 100 }, () => {
    reading.isRefused = true;
    stream.isClosed = true;
  });
  stream.on('error', () => undefined); // the write that failed has it too
  stream.oncommand = (command, callback) => {
    reading.commands.push(command.toString('latin1'));
    if (command.toString() === 'BDAT') stream.skip(skipAfterBdat);
    callback?.();
  };
  for (const chunk of chunks) {
    await new Promise<void>((resolve, reject) => {
      stream.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  }
  await new Promise<void>((resolve) => stream.end(resolve));
  return reading;
}

const cut = (bytes: Buffer, sizes: number[]) => {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
};

describe('CommandStream', () => {
  it('reads the lines, and not what has no end', async () => {
    const { commands } = await read([Buffer.from('EHLO x\r\n\r\nNO\rOP\r\nQUIT')]);
    assert.deepEqual(commands, ['EHLO x', '', 'NO\rOP']);
  });

  it('CM-5: stops at a bare LF, wherever the chunks are cut', async () => {
    for (const chunks of [['A\r\nB\nC\r\n'], ['A\r\nB', '\nC\r\n'], ['A\r\n', 'B', '\n', 'C\r\n']]) {
      const reading = await read(chunks.map((chunk) => Buffer.from(chunk)));
      assert.deepEqual(reading, { commands: ['A'], isRefused: true });
    }
  });

  it('CM-10: skips octets, and no more', async () => {
    const bytes = Buffer.from('BDAT\r\nQUIT\r\nNOOP\r\n');
    for (let at = 0; at < bytes.length; at += 1) {
      assert.deepEqual((await read(cut(bytes, [at]), 6)).commands, ['BDAT', 'NOOP']);
    }
  });

  it('refuses a line that is too long', async () => {
    await assert.rejects(read([Buffer.from('x'.repeat(101))]), /too long/);
    await assert.rejects(read([Buffer.from(`${'x'.repeat(101)}\r\n`)]), /too long/);
  });

  it('reads any bytes, and the same ones wherever they are cut', async () => {
    const byte = fc.constantFrom(...[0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x20, 0x2e, 0x41, 0x42, 0xff]);
    await fc.assert(
      fc.asyncProperty(fc.array(byte, { maxLength: 60 }), fc.array(fc.nat(9)), async (values, sizes) => {
        const bytes = Buffer.from(values);
        const whole = await read([bytes]);
        assert.deepEqual(await read(cut(bytes, sizes)), whole);
        assert.ok(whole.commands.every((command) => !command.includes('\n')));
        const lines = bytes.toString('latin1').split('\n');
        const bare = lines.slice(0, -1).findIndex((line) => !line.endsWith('\r'));
        assert.equal(whole.isRefused, bare !== -1);
        assert.equal(whole.commands.length, bare === -1 ? lines.length - 1 : bare);
      }),
      { numRuns: 300 },
    );
  });
});
