/**
 * In place of mx-connect, which finds the MX hosts of a domain and opens a connection to one of them, with three things
 * that it leaves to its caller and ZoneMTA does not give:
 *
 * - a resolver that answers within seconds, caps the hosts and shares the load among equals (mx-records.ts);
 * - an end: of a connection that is not answered, and of going from host to host;
 * - errors of the DNS with a code.
 *
 * A name is resolved once an attempt, its addresses are judged (mta/settings.ts: none of our own network in production)
 * and one that passed is what is dialled: an answer that changes in between changes nothing (OB-4).
 * Settings: mta.nameservers.
 */
import { nameserversOf } from '../config/nameservers.ts';
import { createDnsResolver } from '../lib/dns-resolver.ts';
import { createRecordFinder, type FindRecords, type MxError, replyOfDnsError } from './mx-records.ts';
import { queueContext } from './queue/context.ts';
import { type Callback, type MxOptions, mxConnect } from './zone-mta.ts';

/** A host that drops packets is passed over after this; what the system would wait is two minutes. */
const CONNECT_TIMEOUT_MS = 30_000;
/** So many hosts of a domain may accept a connection and then fail it, before the attempt ends (RFC 5321 5.1: two). */
const MAX_FAILED_HOSTS = 5;

let findRecords: FindRecords | undefined;

function connectToMx(options: MxOptions, callback: Callback): void {
  connect(options).then(
    (connection) => setImmediate(callback, null, connection),
    (error: Error) => setImmediate(callback, error),
  );
}

async function connect(options: MxOptions): Promise<unknown> {
  const { ignoreMXHosts = [], mxLastError, dnsOptions } = options;
  if (mxLastError && ignoreMXHosts.length >= MAX_FAILED_HOSTS) throw mxLastError;
  findRecords ??= createRecordFinder(createDnsResolver(nameserversOf(queueContext().settings)));
  try {
    return await mxConnect()({
      ...options,
      maxConnectTime: CONNECT_TIMEOUT_MS,
      dnsOptions: { ...dnsOptions, resolveRecords: findRecords },
    });
  } catch (error) {
    const response = replyOfDnsError(error as MxError);
    throw response === undefined ? error : Object.assign(error as MxError, { response });
  }
}

export { connectToMx as 'module.exports' };
