import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'mocha';
import { explainTakenPort, listPorts, type Port } from '../../../deploy/local/ports.ts';
import { createTestSettings } from '../../support/settings.ts';

describe('deploy/local/ports', () => {
  it('says who holds a TCP port, and nothing once it is free', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address);
    const port: Port = { process: 'api', host: '127.0.0.1', port: address.port, transport: 'tcp' };

    assert.match((await explainTakenPort(port)) ?? '', new RegExp(`^is taken by ${process.pid} \\(`));
    server.close();
    await once(server, 'close');
    assert.equal(await explainTakenPort(port), undefined);
  });

  it('sees a listener on all addresses', async () => {
    const server = createServer().listen(0, '0.0.0.0');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address);
    const port: Port = { process: 'api', host: '127.0.0.1', port: address.port, transport: 'tcp' };
    assert.match((await explainTakenPort(port)) ?? '', /^is taken by /);
    server.close();
    await once(server, 'close');
  });

  it('says who holds a UDP port', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const port: Port = {
      process: 'sandbox',
      host: '127.0.0.1',
      port: socket.address().port,
      transport: 'udp',
    };
    assert.match((await explainTakenPort(port)) ?? '', new RegExp(`^is taken by ${process.pid} \\(`));
    socket.close();
    await once(socket, 'close');
  });

  it('lists the ports of every process, and of the servers only where they are ours', () => {
    const listed = listPorts(createTestSettings(), { REDIS_URL: 'redis://cache.test' });
    const processes = new Set(listed.map(({ process }) => process));
    assert.deepEqual([...processes].sort(), [
      'api',
      'gateway',
      'inbound',
      'mta',
      'postgres',
      'sandbox',
      'worker',
    ]);
  });
});
