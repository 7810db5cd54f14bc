/**
 * A process of its own, as its connections are as many as a process may have: `node idle-clients.ts <port> <count>`. Each
 * asks once and stays. Prints "ready" when all of them are answered; afterwards a line for each that was closed.
 */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';

const AT_A_TIME = 200;
const [port = 0, count = 0] = process.argv.slice(2).map(Number);

async function openIdle(): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port });
  socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  return socket.once('close', () => console.log('closed')).resume();
}

for (let opened = 0; opened < count; opened += AT_A_TIME) {
  await Promise.all(Array.from({ length: AT_A_TIME }, openIdle));
}
console.log('ready');
