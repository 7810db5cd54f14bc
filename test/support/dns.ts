/** A DNS that says what a test wants. Names that nobody set do not exist. */

import { createLogger } from '../../lib/log.ts';
import { type DnsServer, startDnsServer } from '../../sandbox/dns-server.ts';
import type { ZoneAnswer, ZoneRecord } from '../../sandbox/zone.ts';

export interface TestDns extends DnsServer {
  /** What the DNS has at the name, instead of what it had. */
  set(name: string, ...records: ZoneRecord[]): void;
  /** Questions about the name get no answer, or an error. */
  break(name: string, status: 'silent' | 'failed'): void;
  clear(): void;
}

export async function startTestDns(): Promise<TestDns> {
  const answers = new Map<string, ZoneAnswer>();
  const zone = {
    hostname: 'postern.test',
    async answer(name: string, type: string): Promise<ZoneAnswer> {
      const answer = answers.get(name.toLowerCase());
      if (answer?.status !== 'found') return answer ?? { status: 'not_found' };
      return { status: 'found', records: answer.records.filter((record) => record.type === type) };
    },
  };
  const log = createLogger('test', { level: 'silent' });
  const server = await startDnsServer({ host: '127.0.0.1', port: 0, zone, log });
  return {
    ...server,
    set: (name, ...records) => void answers.set(name, { status: 'found', records }),
    break: (name, status) => void answers.set(name, { status }),
    clear: () => answers.clear(),
  };
}
