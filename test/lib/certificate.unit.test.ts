import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { loadCertificate } from '../../lib/certificate.ts';

describe('loadCertificate', () => {
  let directory: string;
  const load = (files = { certificateFile: '', privateKeyFile: '' }) =>
    loadCertificate({ ...files, directory, hostname: 'mail.example.com' });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-certificate-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('makes a pair on the first run, for the host name, and keeps it', async () => {
    const made = await load();
    createSecureContext(made);
    assert.ok(new X509Certificate(made.cert).checkHost('mail.example.com'));
    assert.ok(new X509Certificate(made.cert).checkIP('127.0.0.1'));
    assert.deepEqual(await load(), made);
    const file = join(directory, 'tls', 'self-signed.pem');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(directory, 'tls')), ['self-signed.pem']);
  });

  it('agrees with a gateway that starts at the same time', async () => {
    const [one, other] = await Promise.all([load(), load()]);
    assert.deepEqual(one, other);
  });

  it("takes the operator's files when they are named", async () => {
    const files = { certificateFile: join(directory, 'a.pem'), privateKeyFile: join(directory, 'b.pem') };
    writeFileSync(files.certificateFile, 'chain');
    writeFileSync(files.privateKeyFile, 'key');
    assert.deepEqual(await load(files), { cert: 'chain', key: 'key' });
    await assert.rejects(load({ ...files, certificateFile: join(directory, 'missing.pem') }), /ENOENT/);
  });
});
