/** Routes to an SMTP server of the customer's. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';
import { trustAuthorities } from '../../../lib/tls/authorities.ts';
import { portOf } from '../../../sandbox/port.ts';
import { issueCertificate } from '../../support/certificates.ts';
import { type ScriptedSink, startScriptedSink } from '../../support/scripted-sink.ts';
import { type InboundWorld, receive, startInboundApi } from './support.ts';

const MESSAGE = 'From: bob@example.com\r\nSubject: x\r\n\r\n.\r\n..dots\r\n\xe4\r\n';

interface Taken {
  from: string | undefined;
  to: string[];
  user: unknown;
  isSecure: boolean;
  content: Buffer;
}

describe('a route to an SMTP server', () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-smtp-target-'));
  const caFile = join(directory, 'ca.pem');
  const taken: Taken[] = [];
  let world: InboundWorld;
  let server: SMTPServer;
  let plain: ScriptedSink;

  before(async () => {
    const certificate = await issueCertificate('localhost');
    writeFileSync(caFile, certificate.cert);
    world = await startInboundApi('smtp_target', { tlsPolicy: { caFile } });
    trustAuthorities(world.api.settings); // as the worker does
    server = new SMTPServer({
      ...certificate,
      onAuth: ({ username, password }, _, done) =>
        username === 'in' && password === 's:cret' ? done(null, { user: 'in' }) : done(new Error('no')),
      async onData(stream, session, done) {
        const { envelope, user, secure: isSecure } = session;
        const from = envelope.mailFrom ? envelope.mailFrom.address : undefined;
        const to = envelope.rcptTo.map(({ address }) => address);
        taken.push({ from, to, user, isSecure, content: await buffer(stream) });
        done();
      },
    });
    server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    plain = await startScriptedSink();
  });
  after(async () => {
    await world.close();
    await plain.close();
    await new Promise<void>((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true });
  });

  const secure = () => `smtp://in:s%3Acret@localhost:${portOf(server.server)}`;

  it('passes mail on byte for byte, with its envelope, by TLS and with the password, which nobody sees again', async () => {
    const route = await world.createRoute('ann@rich.test', { target: 'smtp', url: secure() });
    assert.deepEqual(
      [route.url, route.basic_auth, route.requires_tls, route.secret],
      [`smtp://localhost:${portOf(server.server)}`, true, true, null],
    );
    const { body } = await receive(world.api, 'ann@rich.test', Buffer.from(MESSAGE, 'latin1'));
    await world.reaches(body.ids[0], 'delivered');
    const content = Buffer.from(MESSAGE, 'latin1');
    const [from, to] = ['bob@example.com', ['ann@rich.test']];
    assert.deepEqual(taken, [{ from, to, user: 'in', isSecure: true, content }]);
  });

  it('gives nothing to a server without TLS, unless the route allows it', async () => {
    const url = `smtp://127.0.0.1:${plain.port}`;
    const { id } = await world.createRoute('plain@rich.test', { target: 'smtp', url });
    const { body } = await receive(world.api, 'plain@rich.test', MESSAGE);
    await world.reaches(body.ids[0], 'retrying');
    assert.deepEqual(plain.arrivals, []);

    await world.call('PATCH', `/inbound_routes/${id}`, { requires_tls: false });
    await world.api.store.pool.query(
      'update webhook_deliveries set next_attempt_at = now() where claim is null',
    );
    await world.reaches(body.ids[0], 'delivered');
    assert.equal(plain.copies('plain@rich.test'), 1);
  });

  it('judges each recipient: a 5xx about one is its end, with a report to the sender; a 4xx is tried again', async () => {
    const target = { target: 'smtp', url: `smtp://127.0.0.1:${plain.port}`, requires_tls: false };
    const { id: routeId } = await world.createRoute('*@rich.test', target);
    const replies: Record<string, string> = {
      'gone@rich.test': '550 5.1.1 No such user',
      'full@rich.test': '452 4.2.2 Full',
    };
    plain.script = ({ stage, recipient }) => (stage === 'rcpt' ? replies[recipient] : undefined);
    const to = ['gone@rich.test', 'full@rich.test', 'good@rich.test'].map((address) => ({
      address,
      routeId,
    }));
    const envelope = { from: 'bob@example.com', to };
    const { body } = await receive(world.api, '', MESSAGE, { envelope });
    const reasons: unknown[] = [];
    for (const status of ['failed', 'retrying', 'delivered']) {
      reasons.push((await world.reaches(body.ids[reasons.length], status)).reason);
    }
    assert.deepEqual(reasons, ['550 5.1.1 No such user', '452 4.2.2 Full', null]);
    const { rows } = await world.api.store.pool.query(
      "select data from pgboss.job where name = 'bounce-inbound'",
    );
    assert.deepEqual(rows, [{ data: { inboundMessageId: body.ids[0] } }]);
  });

  it('tries again what a greeting refuses, or a password that is not taken: that is about the two servers', async () => {
    const url = secure().replace('s%3Acret', 'wrong');
    await world.createRoute('password@rich.test', { target: 'smtp', url });
    const refused = await receive(world.api, 'password@rich.test', MESSAGE);
    assert.match((await world.reaches(refused.body.ids[0], 'retrying')).reason, /^535 /);
    plain.script = ({ stage }) => (stage === 'connect' ? '554 5.7.1 Not you' : undefined);
    const closed = await receive(world.api, 'greeting@rich.test', MESSAGE);
    assert.match((await world.reaches(closed.body.ids[0], 'retrying')).reason, /^554 5\.7\.1 Not you/);
  });
});
