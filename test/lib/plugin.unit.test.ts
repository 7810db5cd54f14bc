import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { createLogger } from '../../lib/log.ts';
import { guard, HookRefusal } from '../../lib/plugin.ts';

interface PluginHandler {
  addHook(title: string, name: string, hook: (...given: never[]) => Promise<void>): void;
  runHooks(name: string, given: unknown[], done: (error?: Error) => void): void;
}

/** ZoneMTA's own, from where it has it. */
function createPluginHandler(): PluginHandler {
  const zoneMta = createRequire(createRequire(import.meta.url).resolve('@zone-eu/zone-mta/package.json'));
  const Handler = zoneMta('@zone-eu/wild-plugins') as new (options: object) => PluginHandler;
  return new Handler({ plugins: {}, logger: { error() {}, info() {}, verbose() {} } });
}

const log = createLogger('test', { level: 'silent' });
const DEADLINE_MS = 20;

/** As ZoneMTA runs a hook that takes no callback: what the promise says, once. */
async function run(body: (subject: string) => Promise<void> | void): Promise<HookRefusal | undefined> {
  const hook = guard('test:hook', log, body, DEADLINE_MS);
  try {
    await hook('subject');
    return undefined;
  } catch (error) {
    assert.ok(error instanceof HookRefusal);
    return error;
  }
}

const DEFERRAL = { responseCode: 451, response: '451 4.3.0 Temporary internal problem', action: 'defer' };
const verdictOf = (refusal: HookRefusal | undefined) =>
  refusal && {
    responseCode: refusal.responseCode,
    response: refusal.response,
    action: refusal.action,
  };

describe('guard of a hook', () => {
  it('DU-12: lets pass what the body lets pass', async () => {
    const seen: string[] = [];

    assert.equal(await run((subject) => void seen.push(subject)), undefined);

    assert.deepEqual(seen, ['subject']);
  });

  it('DU-12: a throw becomes a deferral', async () => {
    const refusal = await run(() => {
      throw new TypeError('a defect');
    });

    assert.deepEqual(verdictOf(refusal), DEFERRAL);
  });

  it('DU-12: a throw of something that is no error becomes a deferral', async () => {
    const refusal = await run(() => Promise.reject(undefined));

    assert.deepEqual(verdictOf(refusal), DEFERRAL);
  });

  it('DU-12: a rejection becomes a deferral', async () => {
    assert.deepEqual(verdictOf(await run(async () => Promise.reject(new Error('a defect')))), DEFERRAL);
  });

  it('DU-12: no answer within the deadline becomes a deferral', async () => {
    assert.deepEqual(verdictOf(await run(() => new Promise<void>(() => {}))), DEFERRAL);
  });

  it('DU-12: an answer after the deadline changes nothing, and a late rejection ends no process', async () => {
    const late = Promise.withResolvers<void>();
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', listen);

    const refusal = await run(() => late.promise);
    late.reject(new Error('too late'));
    await new Promise((resolve) => setImmediate(resolve));

    process.off('unhandledRejection', listen);
    assert.deepEqual(verdictOf(refusal), DEFERRAL);
    assert.deepEqual(unhandled, []);
  });

  it('DU-12: of two answers the first counts', async () => {
    const refusal = await run(
      () =>
        new Promise<void>((resolve, reject) => {
          resolve();
          reject(new Error('and another one'));
        }),
    );

    assert.equal(refusal, undefined);
  });

  it('DU-12: a hook that also calls ZoneMTA back, twice, is answered for once', async () => {
    const handler = createPluginHandler();
    const answers: unknown[] = [];
    handler.addHook(
      'test',
      'test:hook',
      guard('test:hook', log, (_subject: string, callback: (error?: Error) => void) => {
        callback();
        callback(new Error('and another one'));
      }),
    );

    handler.runHooks('test:hook', ['subject'], (error) => answers.push(error));
    await new Promise((resolve) => setTimeout(resolve, DEADLINE_MS));

    assert.deepEqual(answers, [undefined]);
  });

  it('passes refusals as they are: 4xx defers, 5xx rejects', async () => {
    const refuse = (code: number) => () => {
      throw new HookRefusal({ code, enhanced: `${String(code)[0]}.7.1`, text: 'No' });
    };

    assert.deepEqual(verdictOf(await run(refuse(450))), {
      responseCode: 450,
      response: '450 4.7.1 No',
      action: 'defer',
    });
    assert.equal((await run(refuse(550)))?.action, 'reject');
  });
});
