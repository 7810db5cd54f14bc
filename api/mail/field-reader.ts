/**
 * Reads the fields of a send request leniently in form and strictly in content: `""`, null and [] are absent (contract
 * 8.3), a control character in anything that becomes a header is an error, never cleaned away (HD-1).
 * Remembers the first problem only, so the order of reading is the order of checks.
 */
import { type Mailbox, parseMailboxes } from '../../lib/mail/address.ts';

/** An answer in the contract's words (1.3). */
export interface Refusal {
  code: 400 | 403 | 413;
  body: { error: string } | { errors: Record<string, string[]> };
}

/** RFC 5322 2.1.1 limits a line, not a field; nobody writes a subject this long. */
const MAX_HEADER_CHARACTERS = 10_000;

/** Tab is whitespace in a header; the rest ends lines somewhere, or hides. */
const CONTROL = /(?!\t)\p{Cc}|[\u2028\u2029]/u;

export class FieldReader {
  readonly #body: Readonly<Record<string, unknown>>;
  #problem: Refusal | undefined;

  constructor(body: Readonly<Record<string, unknown>>) {
    this.#body = body;
  }

  get problem(): Refusal | undefined {
    return this.#problem;
  }

  refuse(refusal: Refusal): undefined {
    this.#problem ??= refusal;
    return undefined;
  }

  refuseField(field: string, message: string): undefined {
    return this.refuse({ code: 400, body: { errors: { [field]: [message] } } });
  }

  /** The value as it came; undefined when it is absent. */
  value(field: string): unknown {
    const value = Object.hasOwn(this.#body, field) ? this.#body[field] : undefined;
    return isAbsent(value) ? undefined : value;
  }

  /** Text of a body: anything goes. */
  text(field: string): string | undefined {
    const value = this.value(field);
    if (value === undefined || typeof value === 'string') return value;
    return this.refuseField(field, 'is invalid');
  }

  /** Text that becomes a header. Blank is absent. */
  header(field: string, pattern?: RegExp): string | undefined {
    const value = this.text(field)?.trim();
    if (!value) return undefined;
    if (!isHeaderText(value) || (pattern && !pattern.test(value)))
      return this.refuseField(field, 'is invalid');
    return value;
  }

  /** A comma separated list of addresses. */
  mailboxes(field: string, maxCount: number): Mailbox[] {
    const value = this.value(field);
    if (value === undefined || (typeof value === 'string' && value.trim() === '')) return [];
    const mailboxes =
      typeof value === 'string' && !hasControlCharacter(value) ? parseMailboxes(value) : undefined;
    if (!mailboxes) this.refuseField(field, 'is invalid');
    else if (mailboxes.length > maxCount) {
      this.refuseField(field, 'number of email addresses exceeds maximum volume');
    }
    return mailboxes ?? [];
  }
}

export function isHeaderText(value: string): boolean {
  return value.length <= MAX_HEADER_CHARACTERS && !hasControlCharacter(value);
}

export function hasControlCharacter(value: string): boolean {
  return CONTROL.test(value) || !value.isWellFormed();
}

export function isAbsent(value: unknown): boolean {
  return (
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  );
}
