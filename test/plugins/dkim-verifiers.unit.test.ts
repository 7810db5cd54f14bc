/** Two hundred odd messages, signed with RSA and Ed25519, before two verifiers that share no code with the signer. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { generateDkimKeyPair } from '../../api/models/dkim-key-pair.ts';
import type { Delivery } from '../../lib/mta-types.ts';
import { createHeaders, hashBody } from '../../mta/zone-mta.ts';
import { signDelivery } from '../../plugins/dkim.ts';
import { createOddMessages } from './odd-messages.ts';

const COUNT = 200;
/** Debian's, whatever else is on the PATH. */
const PYTHON = '/usr/bin/python3';

interface BuiltHeaders {
  build(): Buffer;
}

describe('dkim signatures of odd messages', () => {
  const records: Record<string, string> = {};
  let messages: Buffer[];

  before(async () => {
    const pairs = [await generateDkimKeyPair(), await generateDkimKeyPair('ed25519-sha256')];
    const keys = pairs.map(({ algorithm, privateKey, record }, index) => {
      records[`s${index}._domainkey.sender.test`] = record;
      return { selector: `s${index}`, algorithm, privateKey };
    });
    messages = createOddMessages(COUNT).map(({ header, body }) => {
      const headers = createHeaders(header) as unknown as Delivery['headers'] & BuiltHeaders;
      const bodyHash = hashBody('relaxed', 'sha256', body);
      signDelivery({ headers, dkim: { bodyHash } }, 'sender.test', keys);
      return Buffer.concat([headers.build(), body]);
    });
  });

  it('verify with mailauth', async () => {
    for (const [index, message] of messages.entries()) {
      const { results } = await dkimVerify(message, {
        resolver: async (name: string) => [[records[name] ?? '']],
        sender: 'a@sender.test',
      });
      assert.deepEqual(
        results.map(({ status }) => status.result),
        ['pass', 'pass'],
        `message ${index}:\n${message.toString('latin1').slice(0, 2_000)}`,
      );
    }
  });

  it("verify with Debian's python3-dkim", function () {
    if (spawnSync(PYTHON, ['-c', 'import dkim, nacl']).status !== 0) {
      console.log('    skipped: python3-dkim and python3-nacl are not installed');
      this.skip();
    }
    const input = JSON.stringify({
      records,
      messages: messages.map((message) => message.toString('base64')),
    });
    const script = join(import.meta.dirname, 'verify_dkim.py');
    const { stdout, stderr } = spawnSync(PYTHON, [script], { input, encoding: 'utf8', maxBuffer: 2 ** 24 });
    assert.equal(stderr, '');
    for (const [index, result] of JSON.parse(stdout).entries()) {
      assert.deepEqual(
        result,
        [true, true],
        `message ${index}:\n${messages[index]?.toString('latin1').slice(0, 2_000)}`,
      );
    }
  }).timeout(20_000);
});
