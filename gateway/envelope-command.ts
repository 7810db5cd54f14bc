/**
 * MAIL and RCPT, read strictly: the name, a colon, a path in angle brackets, parameters (RFC 5321 4.1.2). smtp-server
 * cuts a quoted local part at its space, turns A-labels into letters, and skips parameters that it cannot read.
 */
import type { SMTPServerAddress } from 'smtp-server';
import type { Reply } from '../lib/mail/reply.ts';
import { replies } from './replies.ts';

export interface EnvelopeCommand extends SMTPServerAddress {
  /** Why the parameters are refused */
  refusal?: Reply;
}

/** The path ends at the first `>` outside quotes. Spaces in front of it are what many clients send. */
const COMMAND = /^(MAIL FROM|RCPT TO): *<((?:"(?:[^"\\]|\\.)*"|[^"<>])*)>(?: +(.*))?$/isu;
/** RFC 5321 4.1.2 esmtp-param; an odd keyword is unknown rather than malformed */
const PARAMETER = /^([^\s=]+)(?:=([^\s=]+))?$/;
/** RFC 3461 4, without encoded control characters: nobody means them well (CM-12) */
const XTEXT = /^(?:[!-*,-<>-~]|\+(?!0|1|7F)[0-9A-F]{2})+$/;
const NO_VALUE = /^$/;

interface Rule {
  command: 'MAIL FROM' | 'RCPT TO';
  value: RegExp;
  /** What is not offered is refused by name, never ignored. */
  refusal?: Reply;
}

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['SIZE', { command: 'MAIL FROM', value: /^\d{1,20}$/ }], // RFC 1870
  ['BODY', { command: 'MAIL FROM', value: /^(?:7BIT|8BITMIME)$/i }], // RFC 6152; BINARYMIME needs BDAT
  ['SMTPUTF8', { command: 'MAIL FROM', value: NO_VALUE }], // RFC 6531
  ['AUTH', { command: 'MAIL FROM', value: XTEXT }], // RFC 4954 5; read and not used
  ['REQUIRETLS', { command: 'MAIL FROM', value: NO_VALUE, refusal: replies.requireTlsNotOffered }], // RFC 8689
  ['RET', { command: 'MAIL FROM', value: /^(?:FULL|HDRS)$/i, refusal: replies.dsnNotOffered }], // RFC 3461
  ['ENVID', { command: 'MAIL FROM', value: XTEXT, refusal: replies.dsnNotOffered }],
  ['NOTIFY', { command: 'RCPT TO', value: /^[a-z]+(?:,[a-z]+)*$/i, refusal: replies.dsnNotOffered }],
  ['ORCPT', { command: 'RCPT TO', value: XTEXT, refusal: replies.dsnNotOffered }],
]);

/**
 * @param name 'mail from' or 'rcpt to'
 * @returns false when the line is no such command; the address is as it was sent, still to be judged
 */
export function parseEnvelopeCommand(name: string, line: string): EnvelopeCommand | false {
  const [, command, address, rest = ''] = COMMAND.exec(line) ?? [];
  if (address === undefined || command?.toUpperCase() !== name.toUpperCase()) return false;
  const parameters = rest.split(' ').filter((word) => word !== '');
  const args = new Map<string, string | true>();
  for (const parameter of parameters) {
    const [, keyword, value] = PARAMETER.exec(parameter) ?? [];
    if (keyword === undefined) return { address, args: false, refusal: replies.parameterInvalid };
    const refusal = judgeParameter(command.toUpperCase(), keyword.toUpperCase(), value ?? '', args);
    if (refusal) return { address, args: false, refusal };
    args.set(keyword.toUpperCase(), value ?? true);
  }
  return { address, args: args.size > 0 && Object.fromEntries(args) };
}

function judgeParameter(
  command: string,
  keyword: string,
  value: string,
  earlier: ReadonlyMap<string, unknown>,
): Reply | undefined {
  const rule = rules.get(keyword);
  if (rule?.command !== command) return replies.parameterUnknown;
  if (!rule.value.test(value)) return replies.parameterInvalid;
  return earlier.has(keyword) ? replies.parameterRepeated : rule.refusal;
}
