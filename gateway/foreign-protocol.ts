/** What other protocols say first where SMTP is spoken (TL-9); HTTP/1 is known by its request line (CM-16). */
const GREETINGS: readonly (readonly [protocol: string, bytes: Buffer])[] = [
  ['TLS', Buffer.from([0x16, 0x03])],
  ['RDP', Buffer.from([0x03, 0x00])],
  ['SSH', Buffer.from('SSH-')],
  ['HTTP/2', Buffer.from('PRI * HTTP/2')],
];

/** The protocol of a client's first bytes; undefined when it may be SMTP. */
export function findForeignProtocol(first: Buffer): string | undefined {
  return GREETINGS.find(([, bytes]) => first.subarray(0, bytes.length).equals(bytes))?.[0];
}
