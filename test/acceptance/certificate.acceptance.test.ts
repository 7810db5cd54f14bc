/** A renewed certificate in the running gateway: new sessions get it, an open one goes on, a bad one changes nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { locateInstallation } from '../../deploy/local/installation.ts';
import { ask, logIn, sendMessage } from '../gateway/session.ts';
import { issueCertificate } from '../support/certificates.ts';
import { waitFor } from '../support/mail.ts';
import { installationDirectory } from '../support/processes.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('the certificate of the running gateway', () => {
  let stack: Stack;
  let file: string;
  let original: string;
  before(() => {
    stack = readStack();
    file = join(installationDirectory(), 'tls', 'self-signed.pem');
    original = readFileSync(file, 'utf8');
  });
  after(() => publish(original));

  const publish = (pem: string) => {
    writeFileSync(`${file}.next`, pem, { mode: 0o600 });
    renameSync(`${file}.next`, file);
  };
  const readSubject = async () => {
    const { host, tls: port } = stack.smtp;
    const socket = connect({ host, port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const subject = socket.getPeerX509Certificate()?.subject;
    socket.destroy();
    return subject;
  };

  it('is renewed without a restart, and a session that is open goes on', async () => {
    const open = await logIn(stack);
    const { cert, key } = await issueCertificate('renewed.example');
    publish(`${key}\n${cert}\n`);
    await waitFor(
      'the new certificate',
      async () => (await readSubject()) === 'CN=renewed.example' || undefined,
    );
    assert.match(await sendMessage(open, stack), /^250 2\.0\.0 Ok: queued as /);
    assert.match(await ask(open, 'QUIT'), /^221 /);
  });

  it('stays when the new one is not valid, and the log says so once', async () => {
    const { logDirectory } = locateInstallation(installationDirectory());
    const countRefusals = () =>
      readFileSync(join(logDirectory, 'gateway.log'), 'utf8').split('certificate.refused').length - 1;
    const before = countRefusals();
    const subject = await readSubject();
    publish(`${(await issueCertificate('one')).key}\n${(await issueCertificate('other')).cert}\n`);
    await waitFor('the refusal', async () => countRefusals() > before || undefined);
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // the next look
    assert.equal(countRefusals(), before + 1);
    assert.equal(await readSubject(), subject);
  });
});
