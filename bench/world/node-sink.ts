/** An SMTP server that shows each message to a function: for what smtp-sink cannot tell. */
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { PromptSmtpServer } from '../../sandbox/prompt-smtp-server.ts';

export interface NodeSink {
  close(): Promise<void>;
}

/** @param onMessage called when the whole message is there, before its 250 */
export async function startNodeSink(port: number, onMessage: (raw: Buffer) => void): Promise<NodeSink> {
  const server = new PromptSmtpServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 100,
    logger: false,
    onData(stream, _session, callback) {
      buffer(stream).then((raw) => {
        onMessage(raw);
        callback(null, '2.0.0 Ok');
      }, callback);
    },
  });
  server.on('error', () => {}); // a sender that was killed
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');
  return { close: () => new Promise((resolve) => server.close(resolve)) };
}
