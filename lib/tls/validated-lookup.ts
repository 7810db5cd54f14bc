/**
 * Questions to a resolver that validates DNSSEC, over TCP, with its word whether the answer is validated (the AD bit,
 * RFC 6840 5.7). Node's own resolver does not tell.
 */
import { connect } from 'node:net';
import { Packet } from 'dns2';

const TIMEOUT_MS = 2_000;
const DNS_PORT = 53;
/** Where the header has it (RFC 4035 3.2.3); the library does not show it. */
const FLAGS = 3;
const AD = 0x20;
const NOERROR = 0;
const NXDOMAIN = 3;

export type ValidatedAnswer =
  /** `isSecure`: validated. `data`: of each record of the type that has no decoder, its bytes. */
  | { ok: true; isSecure: boolean; data: readonly Buffer[] }
  /** SERVFAIL, as of a bogus signature, or no answer: nothing may be concluded. */
  | { ok: false };

export type ValidatedLookup = (name: string, type: number) => Promise<ValidatedAnswer>;

/** @param server `host` or `host:port`, IPv4 or a name */
export function createValidatedLookup(server: string): ValidatedLookup {
  const [host = '', port] = server.split(':');
  return async (name, type) => {
    try {
      const answer = await ask(host, Number(port ?? DNS_PORT), name, type);
      const { header, answers } = Packet.parse(answer);
      if (header.rcode !== NOERROR && header.rcode !== NXDOMAIN) return { ok: false };
      const data = answers.flatMap((record) =>
        record.type === type && 'data' in record && Buffer.isBuffer(record.data) ? [record.data] : [],
      );
      return { ok: true, isSecure: ((answer[FLAGS] ?? 0) & AD) !== 0, data };
    } catch {
      return { ok: false }; // unreachable, or no DNS
    }
  };
}

async function ask(host: string, port: number, name: string, type: number): Promise<Buffer> {
  const question = new Packet();
  question.header.rd = 1;
  question.questions.push(new Packet.Question({ name, type, class: Packet.CLASS.IN }));
  const bytes = question.toBuffer();
  bytes[FLAGS] = (bytes[FLAGS] ?? 0) | AD;
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  const socket = connect({ host, port });
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
  try {
    socket.write(Buffer.concat([length, bytes]));
    return await readMessage(socket);
  } finally {
    socket.destroy();
  }
}

async function readMessage(socket: AsyncIterable<Buffer>): Promise<Buffer> {
  let read = Buffer.alloc(0);
  for await (const chunk of socket) {
    read = Buffer.concat([read, chunk]);
    if (read.length >= 2 && read.length >= 2 + read.readUInt16BE(0)) return read.subarray(2);
  }
  throw new Error('the answer broke off');
}
