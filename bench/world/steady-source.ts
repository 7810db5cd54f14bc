/** A worker that never gives up: hands messages over to the mta at a steady rate, each until it is accepted. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Addressed, createIntake } from '../../api/mail/intake.ts';
import type { Settings } from '../../config/schema.ts';
import { composeMessage } from './arrivals.ts';
import { listDestinations, SENDER, SENDER_DOMAIN } from './names.ts';

const RETRY_MS = 1_000;
const DESTINATIONS = 50;
const BODY_BYTES = 4_096;

export interface SteadySource {
  /** performance.now() of the 250, by number. */
  accepted: Map<number, number>;
  /** Refused for good, with the reason. */
  refused: Map<number, string>;
  /** How many were begun. */
  readonly begun: number;
  /** Begins no more. Resolves when all that were begun are accepted or refused. */
  finish(): Promise<void>;
}

/** By the api's own client (api/mail/intake.ts), with its credential. */
export function startSteadySource(settings: Settings, messagesPerSecond: number): SteadySource {
  const intake = createIntake(settings);
  const destinations = listDestinations(DESTINATIONS);
  const accepted = new Map<number, number>();
  const refused = new Map<number, string>();
  const pending = new Set<Promise<void>>();
  const startedAt = performance.now();
  let begun = 0;
  const timer = setInterval(() => {
    const wanted = ((performance.now() - startedAt) / 1000) * messagesPerSecond;
    while (begun < wanted) begin(++begun);
  }, 1000 / messagesPerSecond);

  function begin(number: number): void {
    const sending = send(number).finally(() => pending.delete(sending));
    pending.add(sending);
  }

  async function send(number: number): Promise<void> {
    const recipient = `rcpt@${destinations[number % DESTINATIONS]}`;
    const consignment: Addressed = {
      messageId: number,
      organizationId: 1,
      domain: SENDER_DOMAIN,
      envelopeFrom: SENDER,
      recipients: [recipient],
      content: composeMessage(number, recipient, BODY_BYTES),
      dueAt: new Date(),
      hasUnsubscribeLink: false,
      requiresTls: false,
      isForward: false,
      ignoresTlsPolicy: false,
      tags: [],
      stream: 'transactional',
    };
    for (;;) {
      const result = await intake.handOver(consignment);
      if (result.ok) {
        accepted.set(number, performance.now());
        return;
      }
      if (result.reason === 'refused') {
        refused.set(number, result.refused[0]?.response ?? 'no reason');
        return;
      }
      await sleep(RETRY_MS);
    }
  }

  return {
    accepted,
    refused,
    get begun() {
      return begun;
    },
    async finish() {
      clearInterval(timer);
      await Promise.all(pending);
      intake.close();
    },
  };
}
