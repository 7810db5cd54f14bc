/** What the api asks of the mta itself, over its control port (docs/operate-queue.md). */
import Type from 'typebox';
import Value from 'typebox/value';
import type { Settings } from '../../config/schema.ts';

/** Some transactions wait for the answer. */
const TIMEOUT_MS = 2_000;
const outcomeSchema = Type.Object({ affected: Type.Integer(), inAttempt: Type.Integer() });

export type QueueCancellation =
  /** How many deliveries it has ended, and how many are in an attempt at this moment and stay. */
  { ok: true; affected: number; inAttempt: number } | { ok: false; reason: string };

export interface MtaControl {
  /** Ends what is queued of a message. The mta reports each recipient as an event. Never throws. */
  cancel(messageId: number, reason: string): Promise<QueueCancellation>;
}

export function createMtaControl({ mta, secrets }: Settings): MtaControl {
  const url = `http://${mta.intakeHost}:${mta.controlPort}/queue/cancellations`;
  return {
    async cancel(messageId, reason) {
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${secrets.serviceToken}`,
            'content-type': 'application/json',
            'x-postern-actor': 'api',
          },
          body: JSON.stringify({ selector: { message: messageId }, reason }),
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        const outcome: unknown = await response.json();
        if (!response.ok) return { ok: false, reason: `the mta answered ${response.status}` };
        if (!Value.Check(outcomeSchema, outcome)) return { ok: false, reason: 'not an answer of the mta' };
        return { ok: true, affected: outcome.affected, inAttempt: outcome.inAttempt };
      } catch (error) {
        // Out of reach, too slow, or no JSON: what it has done is not known.
        return { ok: false, reason: error instanceof Error ? error.message : String(error) };
      }
    },
  };
}
