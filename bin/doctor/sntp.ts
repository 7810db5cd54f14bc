/** How far our clock is off, as a server of time sees it (SNTP, RFC 4330). */
import { createSocket } from 'node:dgram';

const TIMEOUT_MS = 3_000;
const PACKET_BYTES = 48;
/** Version 4, client (RFC 4330 4) */
const CLIENT = 0x23;
const SERVER_MODE = 4;
/** Seconds from 1900, where NTP begins, to 1970 */
const EPOCH_SECONDS = 2_208_988_800;

/** @returns seconds to add to our clock; undefined: no answer, or none that can be believed */
export function measureClock({ host, port }: { host: string; port: number }): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (offset: number | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(offset);
    };
    const timer = setTimeout(() => end(undefined), TIMEOUT_MS);
    let sentAt = 0;
    socket.once('error', () => end(undefined));
    socket.once('message', (packet) => end(readOffset(packet, sentAt, Date.now() / 1000)));
    socket.connect(port, host, (error?: Error) => {
      if (error) return end(undefined);
      sentAt = Date.now() / 1000;
      socket.send(Buffer.concat([Buffer.from([CLIENT]), Buffer.alloc(PACKET_BYTES - 1)]));
    });
  });
}

/** RFC 4330 5; stratum 0 is a refusal. */
function readOffset(packet: Buffer, sentAt: number, receivedAt: number): number | undefined {
  if (packet.length < PACKET_BYTES) return undefined;
  const [mode, stratum] = [packet.readUInt8(0) & 7, packet.readUInt8(1)];
  if (mode !== SERVER_MODE || stratum === 0) return undefined;
  const [theirReceipt, theirAnswer] = [readTime(packet, 32), readTime(packet, 40)];
  return (theirReceipt - sentAt + (theirAnswer - receivedAt)) / 2;
}

function readTime(packet: Buffer, offset: number): number {
  return packet.readUInt32BE(offset) - EPOCH_SECONDS + packet.readUInt32BE(offset + 4) / 2 ** 32;
}
