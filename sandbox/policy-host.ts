/** HTTPS for every domain: its policy of MTA-STS (RFC 8461 3.3), and where reports of TLS are sent (RFC 8460 3). */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { gunzipSync } from 'node:zlib';
import type { Logger } from '../lib/log.ts';
import type { Certificates } from './certificates.ts';
import { findDomainBehaviour, POLICY_HOST } from './domains.ts';
import { portOf } from './port.ts';

const MAX_REPORT_BYTES = 1024 * 1024;
const MAX_REPORTS = 1_000;
/** Short, as what is tried out may change. */
const MAX_AGE_SECONDS = 60;
const MOVED = '/moved/mta-sts.txt';

export interface PolicyHost {
  port: number;
  /** What was sent to the domain's host, the newest last. */
  listReports(domain: string): unknown[];
  close(): Promise<void>;
}

/** @param options.port 0: any free one */
export async function startPolicyHost(options: {
  host: string;
  port: number;
  certificates: Certificates;
  log: Logger;
}): Promise<PolicyHost> {
  const { certificates, log } = options;
  const reports: { domain: string; report: unknown }[] = [];
  const server = createServer(
    {
      SNICallback: (name, callback) =>
        void certificates.contextFor(name).then((context) => callback(null, context), callback),
    },
    (request, response) => {
      const domain = domainOf(request);
      if (request.method === 'POST' && request.url === '/tls-reports') {
        void receiveReport(request, response, (report) => {
          reports.push({ domain, report });
          if (reports.length > MAX_REPORTS) reports.shift();
          log.info({ domain }, 'tls_report.received');
        });
      } else answerPolicy(request, response, domain);
    },
  );
  server.on('tlsClientError', (error) => log.debug({ err: error }, 'policy_host.connection_failed'));
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: portOf(server),
    listReports: (domain) => reports.filter((each) => each.domain === domain).map(({ report }) => report),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function domainOf({ headers: { host = '' } }: IncomingMessage): string {
  const name = host.toLowerCase().replace(/:\d+$/, '');
  return name.startsWith(POLICY_HOST) ? name.slice(POLICY_HOST.length) : name;
}

function answerPolicy({ method, url }: IncomingMessage, response: ServerResponse, domain: string): void {
  const policy = findDomainBehaviour(domain)?.mtaSts;
  const path = policy?.isMoved ? MOVED : '/.well-known/mta-sts.txt';
  if (method === 'GET' && policy && url === path) {
    const lines = [`mode: ${policy.mode}`, `mx: ${policy.mx(domain)}`, `max_age: ${MAX_AGE_SECONDS}`];
    response
      .writeHead(200, { 'content-type': 'text/plain' })
      .end(`${['version: STSv1', ...lines].join('\r\n')}\r\n`);
  } else if (policy?.isMoved) response.writeHead(302, { location: MOVED }).end();
  else response.writeHead(404, { 'content-type': 'text/plain' }).end('There is none');
}

async function receiveReport(
  request: IncomingMessage,
  response: ServerResponse,
  keep: (report: unknown) => void,
): Promise<void> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_REPORT_BYTES) throw new Error('too large');
      chunks.push(chunk);
    }
    if (request.headers['content-type'] !== 'application/tlsrpt+gzip') throw new Error('of no known type');
    const text = gunzipSync(Buffer.concat(chunks), { maxOutputLength: MAX_REPORT_BYTES }).toString();
    keep(JSON.parse(text));
    response.writeHead(201).end();
  } catch (error) {
    response.writeHead(400, { 'content-type': 'text/plain' }).end(String(error));
  }
}
