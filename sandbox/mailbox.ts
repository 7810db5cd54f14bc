/** What arrived, in memory: bounded, the oldest goes first. */
import { normalizeAddress } from '../lib/mail/address.ts';

export interface Authentication {
  /** Result words of RFC 8601: pass, fail, none, neutral, softfail, temperror, permerror, policy */
  spf: string;
  dkim: string;
  dmarc: string;
}

export interface StoredMessage {
  id: string;
  /** ISO 8601 */
  receivedAt: string;
  /** `from` is empty for the null reverse-path. */
  envelope: { from: string; to: string[] };
  /** Decoded; null: none. */
  subject: string | null;
  authentication: Authentication;
  signatures: { domain: string; selector: string; result: string }[];
  tls: { version: string; cipher: string } | null;
  client: { address: string; helo: string };
  /** Bytes of `raw`. */
  size: number;
  /** As received, dot-stuffing undone. */
  raw: Buffer;
}

export interface MailboxLimits {
  maxMessages: number;
  maxBytes: number;
}

const DEFAULT_LIMITS: MailboxLimits = { maxMessages: 20_000, maxBytes: 256 * 1024 * 1024 };

export class Mailbox {
  #limits: MailboxLimits;
  /** In order of arrival. */
  #messages = new Map<string, StoredMessage>();
  /** By recipient in lower case, each in order of arrival. */
  #byRecipient = new Map<string, Set<StoredMessage>>();
  #bytes = 0;

  constructor(limits: MailboxLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  add(message: StoredMessage): void {
    this.#messages.set(message.id, message);
    this.#bytes += message.size;
    for (const recipient of recipientsOf(message)) {
      const messages = this.#byRecipient.get(recipient) ?? new Set();
      this.#byRecipient.set(recipient, messages.add(message));
    }
    this.#dropOldest();
  }

  find(id: string): StoredMessage | undefined {
    return this.#messages.get(id);
  }

  /** Newest last. @param filter.recipient the whole address, in any case; `filter.subject` must match exactly */
  list({ recipient, subject }: { recipient?: string; subject?: string } = {}): StoredMessage[] {
    const messages =
      recipient === undefined ? this.#messages.values() : this.#byRecipient.get(keyOf(recipient));
    const list = [...(messages ?? [])];
    return subject === undefined ? list : list.filter((message) => message.subject === subject);
  }

  get size(): number {
    return this.#messages.size;
  }

  clear(): void {
    this.#messages.clear();
    this.#byRecipient.clear();
    this.#bytes = 0;
  }

  #dropOldest(): void {
    for (const message of this.#messages.values()) {
      if (this.#messages.size <= this.#limits.maxMessages && this.#bytes <= this.#limits.maxBytes) return;
      this.#remove(message);
    }
  }

  #remove(message: StoredMessage): void {
    this.#messages.delete(message.id);
    this.#bytes -= message.size;
    for (const recipient of recipientsOf(message)) {
      const messages = this.#byRecipient.get(recipient);
      messages?.delete(message);
      if (messages?.size === 0) this.#byRecipient.delete(recipient);
    }
  }
}

function recipientsOf(message: StoredMessage): Set<string> {
  return new Set(message.envelope.to.map(keyOf));
}

function keyOf(address: string): string {
  return (normalizeAddress(address) ?? address).toLowerCase();
}
