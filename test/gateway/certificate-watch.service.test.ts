import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import { type Certificate, loadCertificate } from '../../lib/certificate.ts';
import { watchCertificate } from '../../lib/certificate-watch.ts';
import { DialogClient } from '../dialogs/client.ts';
import { issueCertificate } from '../support/certificates.ts';
import { ask, logIn, sendMessage } from './session.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

const INTERVAL_MS = 20;

describe('a renewed certificate', () => {
  let directory: string;
  let started: TestGateway;
  let stop: () => void;
  let logged: string;
  let current: Certificate;
  const clients: DialogClient[] = [];

  /** As certbot does it: files of their own, then the links */
  const publish = ({ cert, key }: Certificate) => {
    for (const [link, content] of [
      ['cert.pem', cert],
      ['key.pem', key],
    ] as const) {
      const file = join(directory, `${link}.${Math.random()}`);
      writeFileSync(file, content);
      rmSync(join(directory, link), { force: true });
      symlinkSync(file, join(directory, link));
    }
  };
  const load = () =>
    loadCertificate({
      certificateFile: join(directory, 'cert.pem'),
      privateKeyFile: join(directory, 'key.pem'),
      directory,
      hostname: 'unused',
    });
  const servedByTls = async () => {
    const { host, tls } = started.target.smtp;
    const socket = connectTls({ host, port: tls, rejectUnauthorized: false });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const subject = socket.getPeerX509Certificate()?.subject;
    socket.destroy();
    return subject;
  };
  const trustedByStartTls = async ({ cert }: Certificate) => {
    const { host, starttls } = started.target.smtp;
    const client = await DialogClient.open(host, starttls, { tls: false });
    clients.push(client);
    await client.readReply();
    await ask(client, 'EHLO client.example');
    await ask(client, 'STARTTLS');
    await client.handshake({ ca: [cert], rejectUnauthorized: true, checkServerIdentity: () => undefined });
  };
  const until = async (holds: () => Promise<boolean> | boolean) => {
    for (let looks = 0; looks < 100 && !(await holds()); looks += 1) {
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
    assert.ok(await holds());
  };

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'postern-renewal-'));
    logged = '';
    const lines = new PassThrough();
    lines.on('data', (line) => {
      logged += line;
    });
    current = await issueCertificate('first.example');
    publish(current);
    started = await startTestGateway({ certificate: current });
    stop = watchCertificate({
      current,
      load,
      use: (certificate) => started.gateway.useCertificate(certificate),
      intervalMs: INTERVAL_MS,
      log: pino({ level: 'info' }, lines),
    });
  });
  afterEach(async () => {
    stop();
    for (const client of clients.splice(0)) client.close();
    await started.close();
    rmSync(directory, { recursive: true });
  });

  it('serves new handshakes of both kinds, and open sessions go on', async () => {
    const open = await logIn(started.target);
    clients.push(open);
    assert.equal(await servedByTls(), 'CN=first.example');
    current = await issueCertificate('second.example');
    publish(current);
    await until(async () => (await servedByTls()) === 'CN=second.example');
    await trustedByStartTls(current);
    assert.match(await sendMessage(open, started.target), /^250 2\.0\.0 Ok: queued as /);
    const expiry = new X509Certificate(current.cert).validToDate.getTime() / 1_000;
    assert.ok((await started.registry.metrics()).includes(`certificate_expiry_timestamp_seconds ${expiry}`));
  });

  for (const [what, spoil] of [
    [
      'whose key is of another',
      async () => ({ cert: (await issueCertificate('x')).cert, key: (await issueCertificate('y')).key }),
    ],
    ['that is out of date', () => issueCertificate('old.example', -1)],
    ['that is no certificate', async () => ({ cert: 'nonsense', key: 'nonsense' })],
    ['that is empty', async () => ({ cert: '', key: '' })],
  ] as const) {
    it(`is refused with one log line when it is one ${what}, and the old one stays`, async () => {
      publish(await spoil());
      await until(() => logged.includes('certificate.refused'));
      await new Promise((resolve) => setTimeout(resolve, 5 * INTERVAL_MS));
      assert.equal(logged.split('certificate.refused').length, 2);
      assert.equal(await servedByTls(), 'CN=first.example');
      current = await issueCertificate('good.example');
      publish(current);
      await until(async () => (await servedByTls()) === 'CN=good.example');
    });
  }

  it('may be missing for a while', async () => {
    unlinkSync(join(directory, 'cert.pem'));
    await until(() => logged.includes('certificate.refused'));
    assert.equal(await servedByTls(), 'CN=first.example');
    publish(current);
    await until(() => logged.includes('certificate.renewed'));
  });
});
