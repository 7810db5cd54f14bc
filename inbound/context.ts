/** What the plugins of one worker share. They are loaded by Haraka, which hands them nothing of ours. */
import type { Settings } from '../config/schema.ts';
import type { Logger } from '../lib/log.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import type { Admissions } from './admission.ts';
import type { InboundMetrics } from './metrics.ts';
import type { InboundResolver } from './resolver.ts';

export interface InboundContext {
  settings: Settings;
  log: Logger;
  rpc: Pick<RpcClient, 'call'>;
  metrics: InboundMetrics;
  admissions: Admissions;
  resolver: InboundResolver;
  /** deriveKey(masterKey, 'return-path') */
  returnPathKey: Buffer;
  /** deriveKey(masterKey, 'forward') */
  forwardKey: Buffer;
}

let context: InboundContext | undefined;

/** Once a process, before Haraka is loaded. */
export function setContext(value: InboundContext): void {
  context = value;
}

export function inboundContext(): InboundContext {
  if (!context) throw new Error('the plugins run in a worker of inbound/start.ts only');
  return context;
}
