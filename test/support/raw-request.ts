/** A request over HTTP with exactly the headers that are given, in their case: fetch has a mind of its own. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface RawRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  /** A string goes as it is, anything else as JSON. */
  body?: unknown;
}

export interface RawAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: what a test asserts on is whatever came
  body: any;
}

export async function requestRaw({ method, url, headers, body }: RawRequest): Promise<RawAnswer> {
  const sent = request(url, { method, headers, agent: false });
  if (body === undefined) sent.end();
  else sent.end(typeof body === 'string' ? body : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const received = await text(response);
  const isJson = response.headers['content-type']?.startsWith('application/json');
  const { statusCode: status = 0, headers: answered } = response;
  return { status, headers: answered, body: isJson ? JSON.parse(received) : received };
}
