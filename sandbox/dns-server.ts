/** The zone over UDP and TCP. The wire format is the library's. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createTCPServer, createUDPServer, type DnsHandler, Packet, type Resource } from 'dns2';
import type { Logger } from '../lib/log.ts';
import { portOf } from './port.ts';
import type { Zone, ZoneAnswer, ZoneRecord } from './zone.ts';

/** Short, so that a rotated key or a changed answer is seen at once. */
const TTL_SECONDS = 1;
/** RFC 1035 3.3.14: a character-string holds at most 255 octets. */
const MAX_STRING_BYTES = 255;
const MAX_TCP_CONNECTIONS = 500;
/** Of any free port: somebody else may have its UDP half. */
const MAX_TRIES = 10;
const OPCODE_QUERY = 0;
/** RFC 6698 7.1; the library has no name for it. */
const TYPE_TLSA = 52;

export interface DnsServer {
  port: number;
  close(): Promise<void>;
}

/** Listens on one port for UDP and TCP. @param options.port 0: any free one */
export async function startDnsServer(options: {
  host: string;
  port: number;
  zone: Zone;
  log: Logger;
}): Promise<DnsServer> {
  const handle = createHandler(options.zone, options.log);
  const tcp = createTCPServer(handle);
  const udp = createUDPServer(handle);
  const connections = trackConnections(tcp);
  for (const server of [tcp, udp]) {
    server.on('requestError', (error: Error) => options.log.debug({ err: error }, 'dns.request_malformed'));
  }
  tcp.maxConnections = MAX_TCP_CONNECTIONS;
  return {
    port: await bindBoth(tcp, udp, options),
    async close() {
      for (const socket of connections) socket.destroy();
      tcp.close();
      udp.close();
      await Promise.all([once(tcp, 'close'), once(udp, 'close')]);
    },
  };
}

/** @returns the port. @throws where it is taken; of any free one, where none is free for both, some tries later */
async function bindBoth(
  tcp: ReturnType<typeof createTCPServer>,
  udp: ReturnType<typeof createUDPServer>,
  { host, port }: { host: string; port: number },
): Promise<number> {
  for (let tries = 1; ; tries++) {
    tcp.listen(port, host);
    await once(tcp, 'listening');
    const own = portOf(tcp);
    try {
      udp.bind(own, host);
      await once(udp, 'listening');
      return own;
    } catch (error) {
      tcp.close();
      await once(tcp, 'close');
      if (port !== 0 || tries === MAX_TRIES) throw error;
    }
  }
}

function trackConnections(server: ReturnType<typeof createTCPServer>): Set<Socket> {
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  return connections;
}

function createHandler(zone: Zone, log: Logger): DnsHandler {
  return async (request, send) => {
    try {
      const response = await respond(zone, request);
      if (response) await send(response);
    } catch (error) {
      // The asker is gone, or the answer could not be made: it will ask again.
      log.error({ err: error, question: request.questions[0]?.name }, 'dns.answer_failed');
    }
  };
}

/** Undefined: say nothing. */
async function respond(zone: Zone, request: Packet): Promise<Packet | undefined> {
  if (request.header.qr) return undefined; // an answer; to answer it could go on for ever
  const { RCODE, CLASS } = Packet;
  const [question] = request.questions;
  const refuse = (rcode: number) => Packet.createErrorResponseFromRequest(request, rcode);
  if (request.header.opcode !== OPCODE_QUERY) return refuse(RCODE.NOTIMP);
  if (!question || request.questions.length > 1 || request.errors.length > 0) return refuse(RCODE.FORMERR);
  if (question.class !== CLASS.IN && question.class !== CLASS.ANY) return refuse(RCODE.REFUSED);

  const type = question.type === TYPE_TLSA ? 'TLSA' : Packet.typeName(question.type);
  const answer = await zone.answer(question.name, type);
  if (answer.status === 'silent') return undefined;
  const response = refuse(rcodeOf(answer));
  response.header.aa = 1;
  response.header.ra = 1;
  // AD (RFC 4035 3.2.3); the library's types do not know it.
  Object.assign(response.header, { ad: 'isSecure' in answer && answer.isSecure ? 1 : 0 });
  if (answer.status === 'found') {
    response.answers = answer.records.map((record) => toResource(question.name, record));
  }
  if (answer.status !== 'failed' && response.answers.length === 0)
    response.authorities = [startOfAuthority(zone)];
  return response;
}

function rcodeOf({ status }: ZoneAnswer): number {
  if (status === 'found') return Packet.RCODE.NOERROR;
  return status === 'not_found' ? Packet.RCODE.NXDOMAIN : Packet.RCODE.SERVFAIL;
}

function toResource(name: string, record: ZoneRecord): Resource {
  const { type, ...content } = record;
  const data = record.type === 'TXT' ? { data: splitText(record.text) } : content;
  return new Packet.Resource({
    name,
    type: type === 'TLSA' ? TYPE_TLSA : Packet.TYPE[type],
    class: Packet.CLASS.IN,
    ttl: TTL_SECONDS,
    ...data,
  });
}

/** @returns the strings of a TXT record, 255 bytes at most each; their concatenation is the text */
export function splitText(text: string): string[] {
  const bytes = Buffer.from(text, 'latin1');
  const strings: string[] = [];
  for (let start = 0; start < bytes.length; start += MAX_STRING_BYTES) {
    strings.push(bytes.toString('latin1', start, start + MAX_STRING_BYTES));
  }
  return strings;
}

/** For how long "there is none" may be remembered (RFC 2308 3). The whole world is one zone, the root. */
function startOfAuthority({ hostname }: Zone): Resource {
  return new Packet.Resource({
    name: '',
    type: Packet.TYPE.SOA,
    class: Packet.CLASS.IN,
    ttl: TTL_SECONDS,
    primary: hostname,
    admin: `hostmaster.${hostname}`,
    serial: 1,
    refresh: TTL_SECONDS,
    retry: TTL_SECONDS,
    expiration: TTL_SECONDS,
    minimum: TTL_SECONDS,
  });
}
