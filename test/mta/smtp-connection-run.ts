/**
 * Run by smtp-connection.unit.test.ts with mta/preload.ts: delivers a message and prints what the server saw of it; or,
 * given a greeting instead of a size, prints the error that a connection ends with whose server says just that.
 */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { PassThrough } from 'node:stream';

const require = createRequire(import.meta.url);

interface Connection {
  on(event: 'error', listener: (error: Error & { code: string }) => void): void;
  connect(callback: () => void): void;
  send(envelope: object, message: PassThrough, callback: (error: Error | null, info: object) => void): void;
}
const SmtpConnection = require('nodemailer/lib/smtp-connection') as new (options: object) => Connection;

if (process.argv[2] === 'greeting') {
  const server = createServer((socket) => socket.write(process.argv[3] ?? '')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = new SmtpConnection({ host: '127.0.0.1', port, replyTimeout: 50 });
  connection.on('error', ({ message, code }) => {
    process.stdout.write(JSON.stringify({ message, code }), () => process.exit(0));
  });
  connection.connect(() => process.exit(1));
  await new Promise(() => {});
}

const size = Number(process.argv[2]);
const reads: string[] = [];
const server = createServer((socket) => {
  socket.setEncoding('latin1').write('220 test\r\n');
  let text = '';
  socket.on('data', (chunk: string) => {
    reads.push(chunk);
    text += chunk;
    if (chunk.startsWith('EHLO')) socket.write('250-test\r\n250 PIPELINING\r\n');
    else if (chunk.endsWith('DATA\r\n')) socket.write('250 2.1.0\r\n250 2.1.5\r\n354 go\r\n');
    else if (text.endsWith('\r\n.\r\n')) socket.write('250 2.0.0 taken\r\n');
  });
}).listen(0, '127.0.0.1');
await once(server, 'listening');

const connection = new SmtpConnection({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
await new Promise<void>((resolve) => connection.connect(resolve));
const message = new PassThrough();
message.write('Subject: a\r\n\r\n');
message.end('b'.repeat(size));
const info = await new Promise<object>((resolve, reject) => {
  connection.send({ from: 'a@a.test', to: ['b@b.test'] }, message, (error, sent) =>
    error ? reject(error) : resolve(sent),
  );
});
const data = reads.slice(2);
process.stdout.write(
  JSON.stringify({ info, commands: reads.slice(0, 2), pieces: data.length, data: data.join('').length }),
  () => process.exit(0),
);
