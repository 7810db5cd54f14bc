/** What a server for the public does, and one that only the worker speaks to on loopback does not. */
import { createRequire } from 'node:module';
import type { SmtpInterface } from './mta-types.ts';

type Server = SmtpInterface['server'];

const SeqIndex = createRequire(import.meta.url)('@zone-eu/seq-index') as new (
  id: number,
) => { get(): string };

/** For the hook smtp:init of the intake's plugin. */
export function prepareIntake(smtp: SmtpInterface): void {
  numberMessagesHere(smtp);
  greetAtOnce(smtp.server);
  closeIdleAtShutdown(smtp.server);
}

/**
 * ZoneMTA asks the master for each message's queue id. They are made of the time and a suffix of the process: this one
 * can make them as well.
 */
function numberMessagesHere(smtp: SmtpInterface): void {
  const sendCommand = smtp.sendCommand.bind(smtp);
  const ids = new SeqIndex(process.pid);
  smtp.sendCommand = (command, callback) => {
    if (command === 'INDEX') callback(null, ids.get());
    else sendCommand(command, callback);
  };
}

/** smtp-server keeps a client waiting for 100 ms, to catch spammers that talk first. The worker is none. */
function greetAtOnce(server: Server): void {
  const connect = server.connect.bind(server);
  server.connect = (socket, options) => {
    connect(socket, options);
    const connection = [...server.connections].at(-1);
    if (!connection) return;
    const greet = connection.connectionReady.bind(connection);
    connection.connectionReady = () => {}; // the timer of smtp-server, later
    greet();
  };
}

/**
 * ZoneMTA waits for the intake's sessions to end before it stops. The worker keeps its connections: those that are in no
 * transaction are ended here, and it opens others when the mta is back.
 */
function closeIdleAtShutdown({ connections }: Server): void {
  process.on('message', (message) => {
    if (typeof message !== 'object' || message === null || !('shutdown' in message)) return;
    for (const connection of [...connections]) {
      if (connection.session.envelope.mailFrom) continue;
      connection.send(421, '4.3.2 The service is stopping');
      connection.close();
    }
  });
}
