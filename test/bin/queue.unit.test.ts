import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { completeEnvironmentFile } from '../../deploy/local/environment-file.ts';
import { locateInstallation } from '../../deploy/local/installation.ts';
import { portOf } from '../../sandbox/port.ts';
import { runPosternIn } from '../support/postern.ts';

interface Asked {
  request: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}

const OUTCOME = { actionId: 5, dryRun: false, affected: 3, inAttempt: 0 };

describe('bin/postern queue', () => {
  let directory = '';
  let control: Server;
  let answer: { code: number; body: unknown };
  let asked: Asked | undefined;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'postern-cli-'));
    const installation = locateInstallation(directory);
    completeEnvironmentFile(installation.environmentFile, {});
    control = createServer(async (request, response) => {
      const received = await text(request);
      asked = {
        request: `${request.method} ${request.url}`,
        headers: request.headers,
        body: received ? JSON.parse(received) : undefined,
      };
      response.writeHead(answer.code, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify(answer.body));
    });
    control.listen(0, '127.0.0.1');
    await once(control, 'listening');
    writeFileSync(installation.settingsFile, `[mta]\ncontrolPort = ${portOf(control)}\n`);
  });

  beforeEach(() => {
    answer = { code: 200, body: OUTCOME };
    asked = undefined;
  });

  after(() => {
    control.close();
    rmSync(directory, { recursive: true });
  });

  it('selects by all that is said, with the service token and the name of who asks', async () => {
    const { code, stdout } = await queue(
      ...['cancel', '--message', '42', '--domain', 'one.test', '--site', 'google', '--organization', '7'],
      ...['--tag', 'receipt', '--zone', 'default', '--older-than', '2h', '--recipient', 'a@one.test'],
      ...['--reason', 'by mistake'],
    );

    assert.deepEqual([code, stdout.trim()], [0, '3 deliveries cancelled.']);
    assert.equal(asked?.request, 'POST /queue/cancellations');
    assert.match(asked?.headers.authorization ?? '', /^Bearer .{24,}/);
    assert.match(String(asked?.headers['x-postern-actor']), /^.+@.+$/);
    assert.deepEqual(asked?.body, {
      selector: {
        ...{ message: 42, recipient: 'a@one.test', domain: 'one.test', site: 'google', organization: 7 },
        ...{ tag: 'receipt', zone: 'default', olderThanSeconds: 7200 },
      },
      reason: 'by mistake',
      dryRun: false,
    });
  });

  for (const [parameters, request, body] of [
    [['flush', '--all', '--dry-run'], 'POST /queue/flushes', { selector: { all: true }, dryRun: true }],
    [
      ['bounce', '--domain', 'x.test', '--reason', 'gone', '--yes'],
      'POST /queue/bounces',
      { selector: { domain: 'x.test' }, reason: 'gone', dryRun: false },
    ],
    [
      ['move', '--zone', 'default', '--to', 'slow'],
      'POST /queue/moves',
      { selector: { zone: 'default' }, zone: 'slow', dryRun: false },
    ],
    [['adopt', 'mta-2'], 'POST /queue/adoptions', { instanceId: 'mta-2', dryRun: false }],
    [['resume', '9', '--dry-run'], 'DELETE /queue/pauses/9?dryRun=true', undefined],
  ] as const) {
    it(`asks for ${parameters[0]}`, async () => {
      const { code, stderr } = await queue(...parameters);

      assert.equal(code, 0, stderr);
      assert.equal(asked?.request, request);
      assert.deepEqual(asked?.body, body);
    });
  }

  it('pauses for a while, and says how to end it', async () => {
    const pause = { id: 9, selector: { site: 'google' }, reason: 'x', createdBy: 'a', endsAt: null };
    answer = { code: 201, body: { ...OUTCOME, pause: { ...pause, createdAt: '2026-01-01T00:00:00.000Z' } } };
    const { stdout } = await queue('pause', '--site', 'google', '--reason', 'limited', '--until', '2h');

    assert.match(stdout, /^3 deliveries paused\.\nbin\/postern queue resume 9 ends the pause\.$/m);
    const { endsAt } = (asked?.body ?? {}) as { endsAt: string };
    assert.ok(Math.abs(Date.parse(endsAt) - Date.now() - 7_200_000) < 60_000);
  });

  it('sets a limit', async () => {
    answer = { code: 200, body: { destination: 'site:google', connections: 5, ratePerSecond: 0.5 } };
    const { stdout } = await queue('limits', 'set', 'site:google', '--connections', '5', '--rate', '0.5');

    assert.equal(asked?.request, 'PUT /queue/limits/site%3Agoogle');
    assert.deepEqual(asked?.body, { connections: 5, ratePerSecond: 0.5 });
    assert.match(stdout, /site:google {2}5 +0\.5/);
  });

  it('shows which destinations push back', async () => {
    const slowdown = {
      zone: 'default',
      destination: 'busy.test',
      connections: 1,
      response: '421 4.7.0 Busy',
    };
    const since = '2026-01-01T00:00:00.000Z';
    answer = { code: 200, body: [{ ...slowdown, since, retryAt: null }] };
    const { stdout } = await queue('slowdowns');

    assert.equal(asked?.request, 'GET /queue/slowdowns');
    assert.match(stdout, /default +busy\.test +1 +2026-01-01T00:00:00\.000Z +now +421 4\.7\.0 Busy/);
  });

  it('shows what has changed a pace (bin/postern pacing)', async () => {
    const before = { concurrency: 10, rate: 20 };
    const where = { instanceId: 'one', address: '192.0.2.1', site: 'google' };
    const change = { id: 7, ...where, trigger: 'rate-limited', before };
    const changedAt = '2026-01-01T00:00:00.000Z';
    answer = { code: 200, body: [{ ...change, after: { concurrency: 10, rate: 18 }, changedAt }] };
    const { stdout } = await postern('pacing', 'changes', '--site', 'google');

    assert.equal(asked?.request, 'GET /queue/pace_changes?limit=50&site=google');
    assert.match(stdout, /google +192\.0\.2\.1 +rate-limited +10\.0 -> 10\.0 +20\.00 -> 18\.00/);
  });

  it('lists, and lets nothing that a remote said steer the terminal (LG-1)', async () => {
    answer = { code: 200, body: [delivery('451 \u001b[2Jlater\r\nforged')] };
    const { stdout } = await queue('list', '--domain', 'one.test', '--limit', '1');

    assert.equal(asked?.request, 'GET /queue/deliveries?domain=one.test&limit=1');
    assert.match(stdout, /q1\.001 +42 +a@one\.test +deferred .*451 later {2}forged/);
    assert.match(stdout, /--after q1\.001/);
    assert.equal(stdout.includes('\u001b'), false);
  });

  it('says what was refused, and what to do', async () => {
    answer = {
      code: 422,
      body: { error: { code: 'selector_empty', message: 'The selector names nothing' } },
    };
    const { code, stderr } = await queue('flush');

    assert.equal(code, 1);
    assert.match(stderr, /^postern: The selector names nothing\nbin\/postern queue --help/);
  });

  for (const parameters of [
    ['list', '--older-than', 'yesterday'],
    ['cancel', '--message', 'x', '--reason', 'y'],
    ['bounce', '--all'],
    ['pause', '--all', '--reason', 'x', '--until', 'soon'],
  ]) {
    it(`does not ask at all for: queue ${parameters.join(' ')}`, async () => {
      const { code } = await queue(...parameters);

      assert.equal(code, 1);
      assert.equal(asked, undefined);
    });
  }

  const queue = (...parameters: string[]) => postern('queue', ...parameters);

  const postern = (...parameters: string[]) => runPosternIn(directory, parameters);
});

function delivery(lastResponse: string): object {
  const at = '2026-01-01T00:00:00.000Z';
  return {
    ...{
      queueId: 'q1',
      sequence: '001',
      message: 42,
      recipient: 'a@one.test',
      domain: 'one.test',
      site: null,
    },
    ...{
      organization: 1,
      zone: 'default',
      priority: 5,
      tags: [],
      state: 'deferred',
      attempts: 1,
      deferrals: 1,
    },
    ...{
      dueAt: at,
      createdAt: at,
      expiresAt: at,
      lastResponse,
      heldReason: null,
      pausedBy: null,
      claimedBy: null,
    },
  };
}
