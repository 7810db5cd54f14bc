import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readState, saveCertificate } from '../../../deploy/certificates/files.ts';
import { renewCertificate } from '../../../deploy/certificates/renew.ts';
import { readExpiry } from '../../../lib/certificate.ts';
import { watchCertificate } from '../../../lib/certificate-watch.ts';
import { log } from '../../api/support.ts';
import { issueCertificate } from '../../support/certificates.ts';
import { waitFor } from '../../support/mail.ts';
import { hasPebble, type Pebble, startPebble } from '../../support/pebble.ts';
import { createTestSettings } from '../../support/settings.ts';

type Changes = Partial<ReturnType<typeof createTestSettings>['certificates']>;

describe('deploy/certificates', () => {
  let pebble: Pebble;
  let directory: string;
  before(async function () {
    if (!hasPebble) {
      console.log('      skipped: pebble is not installed (Debian: pebble)');
      this.skip();
    }
    pebble = await startPebble();
  });
  after(() => pebble?.stop());
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-acme-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const settingsOf = (changes: Changes = {}) => {
    const { directoryUrl, caFile, httpPort } = pebble;
    const own = { names: ['mx.sender.test'], directoryUrl, caFile, httpPort, ...changes };
    return createTestSettings({ directory, certificates: { ...createTestSettings().certificates, ...own } });
  };

  it('gets one by http-01, and leaves it alone until it is due', async () => {
    const settings = settingsOf({ names: ['mx.sender.test', 'smtp.sender.test'] });

    const first = await renewCertificate(settings);
    const second = await renewCertificate(settings);

    assert.deepEqual(first.problems, []);
    assert.deepEqual([first.isRenewed, second.isRenewed], [true, false]);
    assert.match(
      first.log.join('\n'),
      /why: there is none yet\n.*http-01 is answered for (mx|smtp)\.sender\.test/s,
    );
    assert.equal(statSync(first.files.key).mode & 0o777, 0o600);
    assert.ok(!first.log.join().includes('PRIVATE KEY'));
  });

  it('asks again for other names, with the same account', async () => {
    const { files } = await renewCertificate(settingsOf());
    const account = readFileSync(files.account, 'utf8');

    const renewed = await renewCertificate(settingsOf({ names: ['other.sender.test'] }));

    assert.match(renewed.log[0] ?? '', /why: it is not for other\.sender\.test but for DNS:mx\.sender\.test/);
    assert.equal(readFileSync(files.account, 'utf8'), account);
  });

  it('gets a wildcard by dns-01, by the hook of the operator', async () => {
    const hook = join(directory, 'hook');
    const requests = `${directory}/requests`;
    writeFileSync(
      hook,
      `#!/bin/sh
echo "$1 $2" >> ${requests}
case $1 in
  present) curl -sf -d "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" ${pebble.dnsManagement}/set-txt ;;
  remove) curl -sf -d "{\\"host\\":\\"$2.\\"}" ${pebble.dnsManagement}/clear-txt ;;
esac
`,
    );
    chmodSync(hook, 0o700);

    const { problems } = await renewCertificate(
      settingsOf({ names: ['*.sender.test'], challenge: 'dns-01', dnsHook: hook }),
    );

    assert.deepEqual(problems, []);
    assert.equal(
      readFileSync(requests, 'utf8'),
      'present _acme-challenge.sender.test\nremove _acme-challenge.sender.test\n',
    );
  });

  it('keeps the old one when the authority does not see us, and says so', async () => {
    const settings = settingsOf();
    const old = await issueCertificate('mx.sender.test', 5);
    const { files } = readState(settings, new Date());
    saveCertificate(files, old);

    await assert.rejects(
      renewCertificate(settingsOf({ httpPort: pebble.httpPort + 1 })),
      /connection refused|unauthorized/i,
    );

    assert.equal(readFileSync(files.chain, 'utf8'), old.cert);
    assert.equal(readState(settings, new Date()).isDue, true);
  });

  it('is taken by who watches the files, without a restart', async () => {
    const settings = settingsOf();
    const { files } = readState(settings, new Date());
    const old = await issueCertificate('mx.sender.test', 5);
    saveCertificate(files, old);
    const used: number[] = [];
    const stop = watchCertificate({
      current: old,
      load: async () => ({ cert: readFileSync(files.chain, 'utf8'), key: readFileSync(files.key, 'utf8') }),
      use: (certificate) => void used.push(readExpiry(certificate)),
      intervalMs: 10,
      log,
    });
    try {
      const { expiresAt } = await renewCertificate(settings);

      await waitFor('the new one', async () => used.length > 0 || undefined);
      assert.deepEqual(used, [Date.parse(expiresAt ?? '')]);
    } finally {
      stop();
    }
  });
});
