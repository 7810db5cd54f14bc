/** The Redis side of shares.ts: all that an instance has to say and ask of limits, in one round trip (share-out.lua). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { redisOptions } from '../../lib/rpc/redis-options.ts';

const SCRIPT = readFileSync(join(import.meta.dirname, 'share-out.lua'), 'utf8');
/** Nobody waits for Redis longer. */
const DEADLINE_MS = 100;
/** An instance that does not speak has nothing under way any more. */
const SLOT_MS = 3_000;
const INSTANCE_MS = 10_000;

export interface ShareRequest {
  name: string;
  concurrency: number;
  /** A second; undefined: any */
  rate: number | undefined;
  /** What gathers while nobody asks, in seconds of the rate; one token at least */
  burstSeconds: number;
  /** Tokens */
  wanted: number;
  /** Tokens that were not used */
  returned: number;
  inFlight: number;
  /** There is, or may be, mail to start. */
  wantsSlots: boolean;
  /** Of a pace: what the proposal follows from */
  version: number | undefined;
  /** Of a pace, JSON */
  pace: string | undefined;
}

export interface ShareReply {
  /** Granted; undefined: there is no rate */
  tokens?: number;
  /** Deliveries at a time */
  slots: number;
  version?: number;
  accepted?: true;
  /** Where it is not what was proposed */
  pace?: string;
}

export interface ExchangeResult {
  /** ms since the epoch, by Redis */
  now: number;
  /** Instances that have spoken in the last ten seconds, this one included */
  instances: number;
  /** One a request */
  replies: ShareReply[];
}

export interface ShareExchange {
  /** @param queueId instances of another queue share nothing with these */
  open(queueId: string): void;
  /** Resolves when Redis is there, or did not come within `deadlineMs`. */
  ready(deadlineMs: number): Promise<void>;
  /** @throws when Redis does not answer within a tenth of a second */
  exchange(requests: readonly ShareRequest[]): Promise<ExchangeResult>;
  close(): void;
}

export interface ShareExchangeOptions {
  redisUrl: string;
  instanceId: string;
}

interface ExchangeClient extends Redis {
  postern_share_out(...given: (string | number)[]): Promise<[number, number, string]>;
}

export function createShareExchange({ redisUrl, instanceId }: ShareExchangeOptions): ShareExchange {
  const redis = new Redis(redisUrl, { ...redisOptions, commandTimeout: DEADLINE_MS }) as ExchangeClient;
  redis.on('error', () => {}); // a failed exchange is told
  redis.defineCommand('postern_share_out', { lua: SCRIPT });
  let prefix = '';
  const keyOf = (name: string) => `${prefix}${name}`;

  return {
    open(queueId) {
      prefix = `postern:shares:{${queueId}}:`; // one slot of a Redis Cluster: a script reaches no other
    },
    async ready(deadlineMs) {
      if (redis.status === 'ready') return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        redis.once('ready', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
    async exchange(requests) {
      const keys = [keyOf('instances'), ...requests.map(({ name }) => keyOf(name))];
      const [now, instances, replies] = await redis.postern_share_out(
        ...[keys.length, ...keys, instanceId, SLOT_MS, INSTANCE_MS],
        JSON.stringify(requests.map(toWire)),
      );
      return { now, instances, replies: requests.length > 0 ? (JSON.parse(replies) as ShareReply[]) : [] };
    },
    close: () => redis.disconnect(),
  };
}

function toWire({ concurrency, rate, wanted, returned, version, pace, ...request }: ShareRequest): object {
  return {
    ...{ concurrency, rate, wanted, returned, version, pace },
    ...{ burst_seconds: request.burstSeconds, in_flight: request.inFlight, wants_slots: request.wantsSlots },
  };
}
