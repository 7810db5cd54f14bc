/**
 * Listens to what the api invalidates. Only while it is subscribed can a process know that its memory is true;
 * what was said in between is lost, so memory is emptied when the subscription stands (again).
 */
import { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { invalidationChannel } from './cache-key.ts';
import { redisOptions } from './redis-options.ts';

export interface SubscriptionOptions {
  redisUrl: string;
  log: Logger;
  onInvalidated: (key: string) => void;
  /** The connection is gone: messages may be missed from now on. */
  onLost: () => void;
  /** Subscribed: messages may have been missed until now. */
  onSubscribed: () => void;
}

export interface Subscription {
  isLive(): boolean;
  close(): void;
}

export function subscribeToInvalidations(options: SubscriptionOptions): Subscription {
  const { redisUrl, log, onInvalidated, onLost, onSubscribed } = options;
  const redis = new Redis(redisUrl, redisOptions);
  let isLive = false;
  let isClosing = false;

  redis.on('error', () => {}); // 'close' follows
  redis.on('message', (_, key: string) => onInvalidated(key));
  redis.on('ready', () => {
    redis.subscribe(invalidationChannel).then(
      () => {
        isLive = true;
        log.debug('rpc.subscribed');
        onSubscribed();
      },
      (error: unknown) => {
        if (isClosing) return;
        log.warn({ err: error }, 'rpc.subscription_failed');
        redis.disconnect(true); // tries again
      },
    );
  });
  redis.on('close', () => {
    if (!isLive) return; // a failed attempt to connect again
    isLive = false;
    if (!isClosing) log.warn('rpc.subscription_lost');
    onLost();
  });

  return {
    isLive: () => isLive,
    close() {
      isClosing = true;
      redis.disconnect();
    },
  };
}
