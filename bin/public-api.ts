/**
 * Client of the public HTTP API (docs/api.md) for our own command line and set-up. What the api refuses, and that it
 * cannot be reached, are values with a text for people.
 */
import { Readable } from 'node:stream';
import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { nullable } from './nullable.ts';

const TIMEOUT_MS = 30_000;
/** Of a file, either way */
const TRANSFER_TIMEOUT_MS = 600_000;

const sentSchema = Type.Object({ id: Type.Integer(), status: Type.String() });

const eventSchema = Type.Object({
  event: Type.String(),
  recipient: nullable(Type.String()),
  occurred_at: Type.String(),
  data: Type.Object({
    attempt: Type.Optional(Type.Integer()),
    response: Type.Optional(nullable(Type.String())),
    /** Of an attempt to tell an endpoint */
    webhook_event: Type.Optional(Type.String()),
    outcome: Type.Optional(Type.String()),
    /** Of a check for spam */
    score: Type.Optional(Type.Number()),
    action: Type.Optional(Type.String()),
    mx: Type.Optional(
      nullable(Type.Object({ hostname: Type.String(), address: Type.Optional(nullable(Type.String())) })),
    ),
  }),
});
export type TimelineEvent = Static<typeof eventSchema>;

const messageSchema = Type.Object({
  id: Type.Integer(),
  status: Type.String(),
  from: Type.String(),
  subject: nullable(Type.String()),
  message_id: Type.String(),
  recipients: Type.Array(
    Type.Object({ address: Type.String(), status: Type.String(), attempts: Type.Integer() }),
  ),
  timeline: Type.Array(eventSchema),
});
export type Message = Static<typeof messageSchema>;

const cancellationSchema = Type.Object({
  id: Type.Integer(),
  recipients: Type.Array(
    Type.Object({ address: Type.String(), status: Type.String(), outcome: Type.String() }),
  ),
});
export type Cancellation = Static<typeof cancellationSchema>;

const domainSchema = Type.Object({
  id: Type.Integer(),
  url: Type.String(),
  dkim_selector: Type.String(),
  dkim_string: Type.String(),
  dkim_verified: Type.Boolean(),
  advanced_verified: Type.Boolean(),
});
export type Domain = Static<typeof domainSchema>;

/** `code`: HTTP status; 0: no answer. */
export type ApiResult<T> = { ok: true; value: T } | { ok: false; code: number; reason: string };

export interface SendRequest {
  from: string;
  to: string;
  cc?: string | undefined;
  subject?: string | undefined;
  textbody?: string | undefined;
  htmlbody?: string | undefined;
  /** `content` in base64; the type is told by the name's extension */
  attachments?: { name: string; content: string }[];
}

export interface PublicApi {
  /** Any other route. @param path behind /api/v1 */
  call<S extends TSchema>(
    schema: S,
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<ApiResult<Static<S>>>;
  /** As `call`, with a body that is no JSON: read while it is sent. */
  upload<S extends TSchema>(
    schema: S,
    path: string,
    body: { type: string; content: Readable },
  ): Promise<ApiResult<Static<S>>>;
  /** An answer that is no JSON, to be read as it comes; reading it throws when it breaks off. */
  download(path: string, type: string): Promise<ApiResult<Readable>>;
  sendMessage(request: SendRequest): Promise<ApiResult<{ id: number; status: string }>>;
  showMessage(id: number): Promise<ApiResult<Message>>;
  cancelMessage(id: number): Promise<ApiResult<Cancellation>>;
  listDomains(): Promise<ApiResult<Domain[]>>;
  createDomain(name: string): Promise<ApiResult<Domain>>;
}

export interface Credentials {
  /** Of a domain: sends and shows messages */
  token?: string | undefined;
  /** Of an organization: domains and their tokens */
  organizationToken?: string | undefined;
  /** Of an operator: organizations */
  operatorToken?: string | undefined;
}

/** @param url of the api without a path, as `http://127.0.0.1:3000` */
export function createPublicApi(
  url: string,
  { token, organizationToken, operatorToken }: Credentials,
): PublicApi {
  const credentials = {
    ...(token && { 'MailPace-Server-Token': token }),
    ...(organizationToken && { 'MailPace-Organization-Token': organizationToken }),
    ...(operatorToken && { 'Postern-Operator-Token': operatorToken }),
  };
  const ask = (method: string, path: string, request: Partial<Request>) =>
    fetchAnswer(new URL(`/api/v1${path}`, url), {
      method,
      timeoutMs: TIMEOUT_MS,
      ...request,
      headers: { accept: 'application/json', ...credentials, ...request.headers },
    });
  const call = async <S extends TSchema>(schema: S, method: string, path: string, body?: object) =>
    readValue(
      schema,
      await ask(method, path, body ? { headers: JSON_BODY, body: JSON.stringify(body) } : {}),
    );
  return {
    call,
    upload: async (schema, path, { type, content }) => {
      const headers = { 'content-type': type };
      const body = { headers, body: content, timeoutMs: TRANSFER_TIMEOUT_MS };
      return readValue(schema, await ask('POST', path, body));
    },
    download: async (path, type) => {
      const answer = await ask('GET', path, { headers: { accept: type }, timeoutMs: TRANSFER_TIMEOUT_MS });
      if (!answer.ok) return answer;
      const { body, status } = answer.value;
      return body
        ? { ok: true, value: Readable.fromWeb(body) }
        : { ok: false, code: status, reason: 'no answer' };
    },
    sendMessage: (message) => call(sentSchema, 'POST', '/send', message),
    showMessage: (id) => call(messageSchema, 'GET', `/messages/${id}`),
    cancelMessage: (id) => call(cancellationSchema, 'POST', `/messages/${id}/cancellation`),
    listDomains: () => call(Type.Array(domainSchema), 'GET', '/domains?limit=200'),
    createDomain: (name) => call(domainSchema, 'POST', '/domains', { domain: { url: name } }),
  };
}

const JSON_BODY = { 'content-type': 'application/json' };

interface Request {
  method: string;
  headers: Record<string, string>;
  body: string | Readable;
  timeoutMs: number;
}

/** The answer, if it is a success. */
async function fetchAnswer(
  url: URL,
  { body = '', timeoutMs, ...request }: Omit<Request, 'body'> & { body?: Request['body'] },
): Promise<ApiResult<Response>> {
  try {
    const response = await fetch(url, {
      ...request,
      body: body || null,
      duplex: 'half',
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.ok) return { ok: true, value: response };
    const { status: code } = response;
    return { ok: false, code, reason: describeRefusal(code, parse(await response.text())) };
  } catch (error) {
    return { ok: false, code: 0, reason: `${url.origin} does not answer: ${describeFailure(error)}` };
  }
}

async function readValue<S extends TSchema>(
  schema: S,
  answer: ApiResult<Response>,
): Promise<ApiResult<Static<S>>> {
  if (!answer.ok) return answer;
  const { status: code, url } = answer.value;
  const value = parse(await answer.value.text().catch(() => ''));
  if (Value.Check(schema, value)) return { ok: true, value };
  return { ok: false, code, reason: `${new URL(url).origin} gave an answer that is not Postern's` };
}

/** Undefined where it is no JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page, say: the status must do
  }
}

/** `{error}` or `{errors: {field: [texts]}}` (contract 1.3) */
function describeRefusal(code: number, body: unknown): string {
  if (Value.Check(Type.Object({ error: Type.String() }), body)) return body.error;
  if (Value.Check(Type.Object({ errors: Type.Record(Type.String(), Type.Array(Type.String())) }), body)) {
    return Object.entries(body.errors)
      .map(([field, texts]) => `${field} ${texts.join(', ')}`)
      .join('; ');
  }
  return `HTTP ${code}`;
}

/** Of a request that had no answer. */
export function describeFailure(error: unknown): string {
  const { message, cause } = error as Error & { cause?: Error };
  return cause?.message || message;
}
