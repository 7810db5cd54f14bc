/** How many mistakes and how much idle talk a session may make before it is ended; a message pays for both (CM-9). */
import type { Reply } from '../lib/mail/reply.ts';
import { replies } from './replies.ts';

export interface ToleranceLimits {
  /** 4xx and 5xx replies */
  maxErrors: number;
  /** Commands that do nothing for a message */
  maxIdleCommands: number;
}

const IDLE_COMMANDS = new Set(['NOOP', 'RSET', 'VRFY', 'HELP', 'HELO', 'EHLO']);

export class Tolerance {
  readonly #limits: ToleranceLimits;
  #errors = 0;
  #idleCommands = 0;

  constructor(limits: ToleranceLimits) {
    this.#limits = limits;
  }

  /** @returns the reply that ends the session instead of the command's own */
  countCommand(verb: string): Reply | undefined {
    if (IDLE_COMMANDS.has(verb)) this.#idleCommands += 1;
    return this.#idleCommands > this.#limits.maxIdleCommands ? replies.tooManyCommands : undefined;
  }

  /** @returns the reply that ends the session after the one that was counted */
  countReply(code: number): Reply | undefined {
    if (code >= 400) this.#errors += 1;
    return this.#errors >= this.#limits.maxErrors ? replies.tooManyErrors : undefined;
  }

  startAnew(): void {
    this.#errors = 0;
    this.#idleCommands = 0;
  }
}
