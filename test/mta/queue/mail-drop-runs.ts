/**
 * Run by mail-drop.unit.test.ts with mta/preload.ts: takes messages (stdin, JSON: arrays of chunks in base64) in ZoneMTA's
 * way and in ours, and prints what the queue was given each time.
 */
import { createRequire } from 'node:module';
import { PassThrough, type Readable } from 'node:stream';
import { buffer, json } from 'node:stream/consumers';

const require = createRequire(import.meta.url);

type Callback = (error: Error | null, result?: unknown) => void;
type MailDrop = new (
  queue: object,
) => { add(envelope: object, source: PassThrough, callback: Callback): void };

require('@zone-eu/zone-mta/lib/plugins').init('receiver');
const theirs = require('@zone-eu/zone-mta/lib/mail-drop.js?original') as MailDrop;
const ours = require('@zone-eu/zone-mta/lib/mail-drop') as MailDrop;

async function run(MailDrop: MailDrop, chunks: string[]): Promise<object> {
  const given: Record<string, unknown> = { way: 'none' };
  const done = Promise.withResolvers<void>();
  const queue = {
    store(_id: string, stream: Readable, callback: Callback) {
      given.way = 'stream';
      buffer(stream).then((bytes) => {
        given.body = bytes.toString('base64');
        callback(null);
      }, callback);
    },
    storeBytes(_id: string, bytes: Buffer) {
      given.way = 'bytes';
      given.body = bytes.toString('base64');
    },
    setMeta: (_id: string, _envelope: object, callback: Callback) => callback(null),
    push(_id: string, envelope: object, callback: Callback) {
      given.envelope = structuredClone(envelope);
      callback(null);
    },
    removeMessage: (_id: string, callback: Callback) => callback(null),
  };
  const source = new PassThrough();
  new MailDrop(queue).add({ id: 'id', from: 'a@a.test', to: ['b@b.test'] }, source, (error, reply) => {
    Object.assign(given, { error: error?.message, reply });
    done.resolve();
  });
  for (const chunk of chunks) source.write(Buffer.from(chunk, 'base64'));
  source.end();
  await done.promise;
  return given;
}

const messages = (await json(process.stdin)) as string[][];
const results = [];
for (const chunks of messages) {
  results.push({ theirs: await run(theirs, chunks), ours: await run(ours, chunks) });
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
