/** Asks rspamd what it thinks of a message, and tells it what people think (rspamd's HTTP protocol, `/checkv2`). */
import type { Readable } from 'node:stream';
import Type from 'typebox';
import Value from 'typebox/value';
import type { SpamScore } from './score.ts';

/** A message may take seconds while rspamd waits for DNS; it gives up itself after `task_timeout` (config/rspamd). */
const CHECK_TIMEOUT_MS = 8_000;
const LEARN_TIMEOUT_MS = 10_000;
/** rspamd answers 208 when it has learned the message before. */
const LEARNED = [200, 204, 208];

export interface Mail {
  from: string;
  to: readonly string[];
  queueId: string;
}

export interface Rspamd {
  /** @throws when rspamd does not answer, or not with a verdict */
  check(content: Buffer | Readable, mail: Mail): Promise<SpamScore>;
}

const answerSchema = Type.Object({
  score: Type.Number(),
  symbols: Type.Record(Type.String(), Type.Object({ score: Type.Optional(Type.Number()) })),
});

/** @param url of a normal worker, as http://127.0.0.1:11333 */
export function createRspamd(url: string): Rspamd {
  return {
    async check(content, { from, to, queueId }) {
      // A client that has authenticated: rules about strangers' connections do not apply.
      const headers = new Headers({ From: encode(from), User: 'postern', 'Queue-Id': queueId });
      for (const address of to) headers.append('Rcpt', encode(address));
      const answer = await post(`${url}/checkv2`, content, headers, CHECK_TIMEOUT_MS);
      if (!answer.ok) throw new Error(`rspamd answers ${answer.status}: ${await beginning(answer)}`);
      const body: unknown = await answer.json();
      if (!Value.Check(answerSchema, body)) throw new Error('rspamd answers without a score');
      const symbols = Object.entries(body.symbols).map(([name, { score = 0 }]) => ({ name, score }));
      return { score: body.score, symbols };
    },
  };
}

/** Teaches the classifier; resolves when it knows the message, also from before. @throws when it cannot */
export async function learn(controllerUrl: string, kind: 'spam' | 'ham', content: Buffer): Promise<void> {
  const answer = await post(`${controllerUrl}/learn${kind}`, content, new Headers(), LEARN_TIMEOUT_MS);
  if (!LEARNED.includes(answer.status)) {
    throw new Error(`rspamd answers ${answer.status}: ${await beginning(answer)}`);
  }
}

function post(
  url: string,
  content: Buffer | Readable,
  headers: Headers,
  timeoutMs: number,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    body: content,
    duplex: 'half',
    headers,
    signal: AbortSignal.timeout(timeoutMs),
  });
}

/** Addresses beyond ASCII (RFC 6531) travel as their bytes. */
function encode(address: string): string {
  return Buffer.from(address).toString('latin1');
}

async function beginning(answer: Response): Promise<string> {
  return (await answer.text()).slice(0, 200);
}
