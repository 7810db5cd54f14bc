/**
 * Mail servers outside that send: so many sessions at a time, each a connection with a few messages, each message begun
 * with MAIL, RCPT and DATA in one write, as PIPELINING allows. In this process: there is one clock.
 */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { HOSTNAME } from './names.ts';
import type { SignedMail } from './signed-mail.ts';

const REPLY_TIMEOUT_MS = 60_000;

export interface InboundLoad {
  messages: number;
  /** At a time */
  sessions: number;
  /** Messages of one session; then the next is opened. */
  perSession: number;
  recipient: string;
  /** Number of the first message: none is sent twice. */
  firstNumber: number;
}

/** @returns from MAIL to the last 250, of each message, in milliseconds. @throws at any other reply */
export async function sendLoad(
  port: number,
  load: InboundLoad,
  compose: (number: number) => SignedMail,
  onAccepted: (count: number) => void,
): Promise<number[]> {
  const latenciesMs: number[] = [];
  let next = load.firstNumber;
  const end = load.firstNumber + load.messages;
  const runSession = async () => {
    while (next < end) {
      const session = await openSession(port);
      for (let sent = 0; sent < load.perSession && next < end; sent++) {
        const mail = compose(next++);
        const startedAt = performance.now();
        await session.send(mail, load.recipient);
        latenciesMs.push(performance.now() - startedAt);
        onAccepted(latenciesMs.length);
      }
      await session.quit();
    }
  };
  await Promise.all(Array.from({ length: load.sessions }, runSession));
  return latenciesMs;
}

async function openSession(port: number) {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
  socket.setTimeout(REPLY_TIMEOUT_MS, () => socket.destroy(new Error('no reply')));
  const expect = readReplies(socket);
  await expect('220');
  socket.write(`EHLO ${HOSTNAME}\r\n`);
  await expect('250');
  return {
    async send({ sender, message }: SignedMail, recipient: string) {
      socket.write(`MAIL FROM:<${sender}>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n`);
      for (const code of ['250', '250', '354']) await expect(code);
      socket.cork();
      socket.write(message);
      socket.write('.\r\n');
      socket.uncork();
      await expect('250');
    },
    async quit() {
      socket.end('QUIT\r\n');
      await once(socket, 'close');
    },
  };
}

/** @returns waits for the next whole reply, and throws when it has another code */
function readReplies(socket: Socket): (code: string) => Promise<void> {
  const replies: string[] = [];
  let wake: (() => void) | undefined;
  let failure: Error | undefined;
  const end = (error: Error) => {
    failure ??= error;
    wake?.();
  };
  createInterface({ input: socket }).on('line', (line) => {
    if (line[3] !== '-') replies.push(line);
    wake?.();
  });
  socket.on('error', end);
  socket.on('close', () => end(new Error('the connection was closed')));
  return async (code) => {
    while (replies.length === 0) {
      if (failure) throw failure;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const reply = replies.shift() ?? '';
    if (!reply.startsWith(code)) throw new Error(`${code} was expected: ${reply}`);
  };
}
