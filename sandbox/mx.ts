/**
 * The catch-all MX: four SMTP servers on one port, which differ in address and in what becomes of STARTTLS. The
 * certificate is that of the name the client asks for (certificates.ts).
 * A message is in the mailbox, verified, before its 250 is sent.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SMTPServerDataStream, SMTPServerOptions, SMTPServerSession } from 'smtp-server';
import type { Logger } from '../lib/log.ts';
import type { Reply } from '../lib/mail/reply.ts';
import { internalError } from './behaviours.ts';
import type { Certificates } from './certificates.ts';
import { findDomainBehaviour, mxAddresses } from './domains.ts';
import { portOf } from './port.ts';
import { PromptSmtpServer } from './prompt-smtp-server.ts';
import type { Peer, Reception } from './reception.ts';

/** More than the largest message of the send API with its encoding and headers. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const MAX_CONNECTIONS = 1_000;
const CLOSE_TIMEOUT_MS = 1_000;
/** No cipher is left that a client without a pre-shared key could take: the server aborts the handshake. */
const BROKEN_TLS: SMTPServerOptions = { maxVersion: 'TLSv1.2', ciphers: 'PSK-AES128-GCM-SHA256' };
/** As servers had it before 2018; OpenSSL has to be told that they may. */
const OLD_TLS: SMTPServerOptions = {
  minVersion: 'TLSv1',
  maxVersion: 'TLSv1.1',
  ciphers: 'DEFAULT@SECLEVEL=0',
};

export interface MxOptions {
  /** Where the MX with working STARTTLS listens; the others have loopback addresses of their own (domains.ts). */
  host: string;
  /** 0: any free one */
  port: number;
  hostname: string;
  certificates: Certificates;
  reception: Reception;
  log: Logger;
}

export interface Mx {
  port: number;
  close(): Promise<void>;
}

export async function startMx(options: MxOptions): Promise<Mx> {
  const { certificates, hostname } = options;
  const tls: SMTPServerOptions = {
    ...(await certificates.issue(hostname)),
    SNICallback(name, callback) {
      const kind = findDomainBehaviour(name.toLowerCase())?.certificate;
      certificates.contextFor(name, kind).then((context) => callback(null, context), callback);
    },
  };
  const working = await listen(options, options.host, options.port, tls);
  const port = portOf(working.server);
  const others = await Promise.all([
    listen(options, mxAddresses.brokenTls, port, { ...tls, ...BROKEN_TLS }),
    listen(options, mxAddresses.noTls, port, { disabledCommands: ['AUTH', 'STARTTLS'] }),
    listen(options, mxAddresses.oldTls, port, { ...tls, ...OLD_TLS }),
  ]);
  return {
    port,
    close: async () => void (await Promise.all([working, ...others].map(close))),
  };
}

async function listen(
  { reception, hostname, log }: MxOptions,
  address: string,
  port: number,
  settings: SMTPServerOptions,
): Promise<PromptSmtpServer> {
  const tlsOfSession = new WeakMap<SMTPServerSession, Peer['tls']>();
  const server = new PromptSmtpServer({
    name: hostname,
    banner: 'Postern sandbox',
    disabledCommands: ['AUTH'],
    disableReverseLookup: true,
    size: MAX_MESSAGE_BYTES,
    closeTimeout: CLOSE_TIMEOUT_MS,
    logger: false,
    ...settings,
    onSecure(socket, session, callback) {
      tlsOfSession.set(session, describeTls(socket));
      callback();
    },
    onRcptTo({ address }, session, callback) {
      answer(callback, session, async () => {
        const refusal = await reception.answerRecipient(address, session.remoteAddress);
        callback(refusal && toError(refusal, session));
      });
    },
    onData(stream, session, callback) {
      answer(callback, session, () => answerData(stream, session, callback));
    },
  });

  async function answerData(
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    callback: (error: Error | null, text?: string) => void,
  ): Promise<void> {
    const client = { address: session.remoteAddress, helo: session.hostNameAppearsAs };
    const tls = tlsOfSession.get(session) ?? null;
    const receipt = await reception.receive(stream, session.envelope, { client, tls });
    if (receipt === 'dropped') server.disconnect(session.id);
    else if ('refusal' in receipt) callback(toError(receipt.refusal, session));
    else callback(null, `2.0.0 OK queued as ${receipt.id}`);
  }

  /** Runs a handler; what it throws is logged and answered. */
  function answer(
    callback: (error: Error) => void,
    session: SMTPServerSession,
    handler: () => Promise<void>,
  ): void {
    handler().catch((error) => {
      log.error({ err: error, client: session.remoteAddress }, 'mx.command_failed');
      callback(toError(internalError, session));
    });
  }

  server.on('error', (error) => log.debug({ err: error }, 'mx.connection_failed'));
  server.server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, address);
  await once(server.server, 'listening');
  return server;
}

function close(server: PromptSmtpServer): Promise<void> {
  return new Promise((resolve) => server.close(resolve));
}

function describeTls(socket: Socket | TLSSocket): Peer['tls'] {
  if (!(socket instanceof TLSSocket)) return null;
  return { version: socket.getProtocol() ?? 'unknown', cipher: socket.getCipher().name };
}

/** The form in which smtp-server wants a reply. */
function toError({ code, enhanced, text }: Reply, { remoteAddress }: SMTPServerSession): Error {
  const message = `${enhanced} ${text.replaceAll('{client}', remoteAddress)}`;
  return Object.assign(new Error(message), { responseCode: code });
}
