/**
 * Asks the mta once more to cancel a message: a hand-over whose outcome was not known, when the message was cancelled,
 * may have got through after all.
 */
import { REASON } from '../mail/cancellation.ts';
import type { MtaControl } from '../mail/mta-control.ts';

/** @throws while the mta does not answer, which makes pg-boss try again */
export async function cancelLate(mta: MtaControl, messageId: number): Promise<void> {
  const asked = await mta.cancel(messageId, REASON);
  if (!asked.ok) throw new Error(asked.reason);
}
