/** smtp-server with our options, our sessions, and our handlers behind its callbacks. */
import type { Socket } from 'node:net';
import { TLSSocket, type TlsOptions } from 'node:tls';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import type { Logger } from '../lib/log.ts';
import { formatReply, type Reply } from '../lib/mail/reply.ts';
import { authenticate } from './authentication.ts';
import { type ConnectionLimits, SubmissionConnection } from './connection.ts';
import { type GatewayContext, stateOf, transactionIdOf } from './context.ts';
import { judgeRecipient, judgeSender } from './envelope.ts';
import { replies } from './replies.ts';
import { submit } from './submission.ts';

export interface SubmissionServerOptions {
  hostname: string;
  /** The sockets that come have TLS already; else STARTTLS is offered. */
  hasTls: boolean;
  tls: TlsOptions;
  maxRecipients: number;
  connection: ConnectionLimits;
  context: GatewayContext;
}

/** Between two packets of a message (RFC 5321 4.5.3.2.5); all else has a deadline of its own. */
const IDLE_TIMEOUT_MS = 180_000;
/** RFC 4954 4: a line of AUTH may have so many octets. */
const MAX_COMMAND_BYTES = 12_288;
const MAX_UNAUTHENTICATED_COMMANDS = 20;
/** Jokes and proxy protocols of smtp-server */
const DISABLED_COMMANDS = ['WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD'];

export class SubmissionServer extends SMTPServer {
  readonly #limits: ConnectionLimits;
  readonly #log: Logger;

  constructor(options: SubmissionServerOptions) {
    super({
      ...options.tls,
      name: options.hostname,
      banner: 'Postern',
      secure: options.hasTls,
      secured: options.hasTls,
      size: options.context.maxMessageBytes,
      maxRecipients: options.maxRecipients,
      authMethods: ['PLAIN', 'LOGIN'],
      hideENHANCEDSTATUSCODES: false,
      disableReverseLookup: true,
      disabledCommands: DISABLED_COMMANDS,
      maxAllowedUnauthenticatedCommands: MAX_UNAUTHENTICATED_COMMANDS,
      maxCommandLength: MAX_COMMAND_BYTES,
      socketTimeout: IDLE_TIMEOUT_MS,
      heloResponse: '%s',
      logger: false,
      ...createHandlers(options.context),
    });
    this.#limits = options.connection;
    this.#log = options.context.log;
    // Broken sockets and handshakes: the client's affair
    this.on('error', (error) => options.context.log.debug({ err: error }, 'session.failed'));
  }

  /** Starts a session. @param closed called when it is over */
  start(socket: Socket, closed = () => {}): void {
    const connection = new SubmissionConnection(this, socket, {
      limits: this.#limits,
      log: this.#log,
      closed,
    });
    this.connections.add(connection);
    connection.on('error', (error) => this._onError(error));
    connection.init();
  }

  /** The sessions that are not over. */
  sessions(): SubmissionConnection[] {
    return [...this.connections].filter((connection) => connection instanceof SubmissionConnection);
  }
}

type Callback = (error?: Error | null) => void;

function createHandlers(context: GatewayContext): ConstructorParameters<typeof SMTPServer>[0] {
  const { log, metrics } = context;
  /** A throw is a mistake of ours: the client may come again. */
  const rescue = (session: { id: string }) => (error: unknown) => {
    log.error({ err: error, session: session.id }, 'handler.failed');
    return replies.internalError;
  };
  const logRefusal = (event: string, session: SMTPServerSession, reply: Reply) => {
    const { tokenId } = stateOf(session).credential ?? {};
    const facts = { submissionId: transactionIdOf(session), tokenId, client: session.remoteAddress };
    log.info({ ...facts, reply: `${reply.code} ${formatReply(reply)}` }, event);
  };
  return {
    onSecure(socket, session, callback: Callback) {
      stateOf(session).tls = describeTls(socket);
      callback();
    },
    onAuth(auth, session, callback) {
      authenticate(auth, session, context)
        .catch(rescue(session))
        .then((refusal) => (refusal ? callback(toError(refusal)) : callback(null, { user: session.id })));
    },
    onMailFrom(address, session, callback: Callback) {
      judgeSender(address, session, context)
        .catch(rescue(session))
        .then((refusal) => {
          if (refusal) logRefusal('sender.refused', session, refusal);
          callback(refusal && toError(refusal));
        });
    },
    onRcptTo(address, session, callback: Callback) {
      const refusal = judgeRecipient(address, session);
      if (refusal) logRefusal('recipient.refused', session, refusal);
      callback(refusal && toError(refusal));
    },
    onData(stream, session, callback) {
      submit(stream, session, context)
        .catch((error: unknown) => {
          if (!stream.destroyed || stream.readableEnded) return rescue(session)(error);
          metrics.messages.inc({ outcome: 'aborted' });
          return undefined; // the client left: nobody reads a reply
        })
        .then((reply) => {
          if (reply) metrics.messages.inc({ outcome: outcomeOf(reply) });
          if (reply && outcomeOf(reply) !== 'accepted') logRefusal('message.refused', session, reply);
          if (reply?.code === replies.queued.code) callback(null, formatReply(reply));
          else callback(toError(reply ?? replies.notTakenOver));
        });
    },
  };
}

function outcomeOf({ code }: Reply): string {
  if (code < 400) return 'accepted';
  return code < 500 ? 'deferred' : 'refused';
}

/** smtp-server's way to be told a reply */
function toError(reply: Reply): Error {
  return Object.assign(new Error(formatReply(reply)), { responseCode: reply.code });
}

function describeTls(socket: Socket): { version: string; cipher: string } | null {
  if (!(socket instanceof TLSSocket)) return null;
  const cipher = socket.getCipher() as { name: string } | undefined; // none once the client has left
  return { version: socket.getProtocol() ?? 'unknown', cipher: cipher?.name ?? 'unknown' };
}
