/** What hostile clients cost the running gateway in memory: nothing that lasts (CM-1, CM-2). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expectAlive } from '../dialogs/runner.ts';
import { stackSettings } from '../support/processes.ts';
import { readStack, type Stack } from '../support/stack.ts';

const MIB = 1_048_576;
const CLIENTS = 20;
/** What a process takes and gives back by itself while it works; the clients together send 200 MiB. */
const NOISE_BYTES = 80 * MIB;

describe('memory of the running gateway', () => {
  let stack: Stack;
  const sockets: Socket[] = [];
  before(() => {
    stack = readStack();
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  const readResidentBytes = async () => {
    const response = await fetch(`http://127.0.0.1:${stackSettings().gateway.monitorPort}/metrics`);
    const bytes = /^process_resident_memory_bytes (\S+)$/m.exec(await response.text())?.[1];
    assert.ok(bytes);
    return Number(bytes);
  };
  const open = async () => {
    const socket = connect(stack.smtp.starttls, stack.smtp.host);
    sockets.push(socket);
    socket.on('error', () => undefined); // the gateway closes
    await once(socket, 'data');
    return socket;
  };

  it('CM-1, CM-2: does not grow with lines that have no end', async () => {
    const before = await readResidentBytes();
    const line = Buffer.alloc(10 * MIB, 'x');
    for (let client = 0; client < CLIENTS; client += 1) {
      const socket = await open();
      socket.write(line);
      await once(socket, 'close');
    }
    await expectAlive(stack);
    assert.ok((await readResidentBytes()) - before < NOISE_BYTES);
  });
});
