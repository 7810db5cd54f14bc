import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sendRaw } from '../support/raw-http.ts';
import { startTestApi, type TestApi } from './support.ts';

const COUNT = 10_000;

describe('idle clients (AP-2)', () => {
  let api: TestApi;
  let port = 0;
  before(async () => {
    api = await startTestApi('idle_clients');
    port = Number(new URL(await api.app.listen({ host: '127.0.0.1', port: 0 })).port);
  });
  after(() => api.close());

  it(`that keep ${COUNT} connections open keep nobody else from being answered`, async () => {
    const program = join(import.meta.dirname, '../support/idle-clients.ts');
    const clients = spawn(process.execPath, [program, `${port}`, `${COUNT}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    const reader = createInterface(clients.stdout).on('line', (line) => lines.push(line));
    try {
      await Promise.race([once(reader, 'line'), once(clients, 'exit')]);
      const request = 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
      assert.deepEqual((await sendRaw(port, [request])).statuses, [200]);
      assert.deepEqual(lines, ['ready'], 'all of them are answered, and none is closed to make room');
    } finally {
      clients.kill('SIGKILL');
      await once(clients, 'close');
    }
  });
});
