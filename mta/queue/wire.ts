/**
 * What the processes of the mta tell each other beyond ZoneMTA's commands, over the same socket. SETCACHE and GETCACHE
 * carry any key and value to the master's cache, which is ours: these keys mean something else there.
 */
import type { EndedDelivery } from './ended-delivery.ts';
import type { QueuedFlow } from './flow-rows.ts';
import type { ClaimedRow, FlowKey } from './rows.ts';
import type { RpcCount } from './rpc-counts.ts';

export const wire = {
  /** sender: how many deliveries its next GET can take */
  demand: 'postern:demand',
  /** sender: deliveries that have ended */
  ended: 'postern:ended',
  /** receiver: rows that it has written, claimed */
  fresh: 'postern:fresh',
  /** receiver: flows that it has written due rows of */
  due: 'postern:due',
  /** receiver: flows that it has written rows of that are due later */
  later: 'postern:later',
  /** receiver, GETCACHE: may it claim what it writes? */
  intake: 'postern:intake',
} as const;

export interface DemandMessage {
  owner: string;
  count: number;
}

export interface EndedMessage {
  endings: EndedDelivery[];
  connections: { opened: number; reused: number };
  lookups: RpcCount[];
}

export interface FreshMessage {
  rows: ClaimedRow[];
}

export interface DueMessage {
  flows: FlowKey[];
}

export interface LaterMessage {
  flows: QueuedFlow[];
}

export interface IntakeState {
  isOpen: boolean;
  fullDomains: string[];
}
