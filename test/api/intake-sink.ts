/** Stands for the mta's intake: answers as told, and keeps what it got. */
import { once } from 'node:events';
import { SMTPServer } from 'smtp-server';
import { portOf } from '../../sandbox/port.ts';

export interface IntakeSink {
  port: number;
  received: { user: string; from: string; to: string[]; raw: string; at: number }[];
  /** Replies to the next messages at the end of DATA, then 250 again. */
  nextReplies: string[];
  /** Reply to RCPT by address. */
  recipientReplies: Map<string, string>;
  close(): Promise<void>;
}

export async function startIntakeSink(): Promise<IntakeSink> {
  const received: IntakeSink['received'] = [];
  const nextReplies: string[] = [];
  const recipientReplies = new Map<string, string>();
  const server = new SMTPServer({
    authOptional: false,
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    onAuth: ({ username = '' }, _session, callback) => callback(null, { user: username }),
    onRcptTo: ({ address }, _session, callback) => {
      const reply = recipientReplies.get(address);
      callback(reply ? smtpError(reply) : null);
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          user: String(session.user),
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          // When the block list was read differs from time to time.
          raw: Buffer.concat(chunks)
            .toString('latin1')
            .replace(/^X-Postern-Lists-Read-At: \d+\r\n/m, ''),
          at: Date.now(),
        });
        const reply = nextReplies.shift();
        callback(reply ? smtpError(reply) : null, 'queued');
      });
    },
  });
  const listener = server.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: portOf(listener),
    received,
    nextReplies,
    recipientReplies,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

function smtpError(reply: string): Error {
  return Object.assign(new Error(reply.slice(4)), { responseCode: Number(reply.slice(0, 3)) });
}
