import type { RowKey } from './rows.ts';
import type { Reaction } from './slowdowns.ts';

/** What a sender reports when a delivery has ended. */
export interface EndedDelivery extends RowKey {
  type: string;
  /** Of a deferral, ms since the epoch */
  dueAt?: number | undefined;
  /** The local address that it was tried from, where it has one */
  source?: string | undefined;
  /** The provider behind the MX it was delivered to */
  site?: string | undefined;
  /** What that tells about the destination */
  reaction?: Reaction | undefined;
  /** What the reply means that refused or deferred it */
  verdict?: { class: string; action: string } | undefined;
  /** Of a destination that pushed back */
  response?: string | undefined;
}
