/** Stands where the mta takes mail from the worker: takes everything, and nothing follows. */
import { once } from 'node:events';
import { PromptSmtpServer } from '../../sandbox/prompt-smtp-server.ts';

export async function startOpenIntake(port: number): Promise<{ close(): Promise<void> }> {
  const server = new PromptSmtpServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    disableReverseLookup: true,
    closeTimeout: 100,
    logger: false,
    onAuth: (_auth, _session, callback) => callback(null, { user: 'worker' }),
    onData(stream, _session, callback) {
      stream.resume().once('end', () => callback(null, '2.0.0 Ok'));
    },
  });
  server.on('error', () => {}); // a worker that was stopped
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');
  return { close: () => new Promise((resolve) => server.close(resolve)) };
}
