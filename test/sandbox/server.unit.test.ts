import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { on, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createApi } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { portOf } from '../../sandbox/port.ts';

const entry = join(import.meta.dirname, '../../sandbox/server.ts');

describe('the process of the sandbox', () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-sandbox-'));
  after(() => rmSync(directory, { recursive: true }));

  function start(toml: string, environment: Record<string, string>) {
    writeFileSync(join(directory, 'postern.toml'), toml);
    return spawn(process.execPath, [entry], {
      env: {
        POSTERN_DIRECTORY: directory,
        POSTERN_SECRET_KEY: randomBytes(32).toString('base64'),
        POSTERN_SERVICE_TOKEN: randomBytes(24).toString('hex'),
        POSTERN_INTAKE_PASSWORD: randomBytes(24).toString('hex'),
        ...environment,
      },
    });
  }

  const refusals = [
    {
      environment: 'production',
      toml: '[gateway]\ncertificateFile = "c.pem"\nprivateKeyFile = "k.pem"\n',
      problem: 'environment: the sandbox never runs in production',
    },
    {
      environment: 'development',
      toml: '[sandbox]\nhost = "0.0.0.0"\n',
      problem: 'sandbox.host: 0.0.0.0 is not an IPv4 loopback address',
    },
  ];
  for (const { environment, toml, problem } of refusals) {
    it(`does not start: ${problem}`, async () => {
      const child = start(toml, { POSTERN_ENV: environment });
      const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
      assert.equal(code, 78);
      assert.equal(errors, `postern: ${problem}\n`);
    });
  }

  it('starts without Redis, asks the api for DKIM records, and ends on SIGTERM', async () => {
    const [dns, smtp, http, https, nobody] = await freePorts(5);
    const asked: (string | undefined)[] = [];
    const api = createApi((request, response) => {
      asked.push(request.url, request.headers.authorization);
      response.setHeader('content-type', 'application/json').end('{"value":"v=DKIM1; p=abc"}');
    }).listen(0, '127.0.0.1');
    await once(api, 'listening');
    const child = start(
      `[sandbox]\ndnsPort = ${dns}\nsmtpPort = ${smtp}\nhttpPort = ${http}\nhttpsPort = ${https}\n
       [api]\nurl = "http://127.0.0.1:${portOf(api)}"\n`,
      {
        POSTERN_ENV: 'test',
        POSTERN_SERVICE_TOKEN: 'a-service-token-of-this-test',
        REDIS_URL: `redis://127.0.0.1:${nobody}/0`,
      },
    );
    const ended = once(child, 'exit');
    for await (const line of on(child.stdout, 'data')) {
      if (String(line).includes('sandbox.started')) break;
    }

    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${dns}`]);
    assert.deepEqual(await resolver.resolveTxt('s1._domainkey.sender.test'), [['v=DKIM1; p=abc']]);
    assert.deepEqual(asked, [
      '/rpc/v1/domains/sender.test/dkim_records/s1',
      'Bearer a-service-token-of-this-test',
    ]);
    assert.equal((await fetch(`http://127.0.0.1:${http}/health`)).status, 200);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    api.closeAllConnections();
    api.close();
  });
});

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map(portOf);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
