/** The names in the mail of a benchmark. */
export const SENDER_DOMAIN = 'sender.example';
export const SENDER = `bench@${SENDER_DOMAIN}`;
export const HOSTNAME = 'bench.postern.test';

/** Recipient domains; each has an MX of its own (sandbox/zone.ts). */
export function listDestinations(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `d${String(index + 1).padStart(3, '0')}.example`);
}
