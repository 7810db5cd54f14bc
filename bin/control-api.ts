/**
 * Client of the mta's control API (docs/operate-queue.md) for the command line. What it refuses, and that it cannot be
 * reached, are values with a text for people.
 */
import { hostname, userInfo } from 'node:os';
import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import type { Settings } from '../config/schema.ts';
import {
  createPauseSchema,
  diagnosisSchema,
  listActionsSchema,
  listDeliveriesSchema,
  listLimitsSchema,
  listPaceChangesSchema,
  listPacesSchema,
  listPausesSchema,
  listSlowdownsSchema,
  outcomeSchema,
  setLimitSchema,
  showDeliverySchema,
  summarySchema,
} from '../mta/control/schemas.ts';
import type { Selector } from '../mta/queue/selector.ts';
import { type ApiResult, describeFailure, parse } from './public-api.ts';

/** An action on a million deliveries takes minutes; it goes on when nobody waits for it. */
const TIMEOUT_MS = 280_000;

export type Outcome = Static<typeof outcomeSchema>;
export type Delivery = Static<(typeof listDeliveriesSchema.response)[200]>[number];
export type ShownDelivery = Static<(typeof showDeliverySchema.response)[200]>;
export type Summary = Static<(typeof summarySchema.response)[200]>;
export type Diagnosis = Static<(typeof diagnosisSchema.response)[200]>;
export type Pause = Static<(typeof listPausesSchema.response)[200]>[number];
export type Action = Static<(typeof listActionsSchema.response)[200]>[number];
export type Slowdown = Static<(typeof listSlowdownsSchema.response)[200]>[number];
export type Pace = Static<(typeof listPacesSchema.response)[200]>[number];
export type PaceChange = Static<(typeof listPaceChangesSchema.response)[200]>[number];
export type Limit = Static<(typeof listLimitsSchema.response)[200]>[number];

export type Verb = 'flushes' | 'bounces' | 'cancellations' | 'moves' | 'adoptions';

export interface ControlApi {
  listDeliveries(
    selector: Selector,
    page: { limit: number; after: string | undefined },
  ): Promise<ApiResult<Delivery[]>>;
  showDelivery(queueId: string, sequence: string): Promise<ApiResult<ShownDelivery>>;
  readSummary(): Promise<ApiResult<Summary>>;
  readDiagnosis(): Promise<ApiResult<Diagnosis>>;
  act(verb: Verb, body: object): Promise<ApiResult<Outcome>>;
  pause(body: object): Promise<ApiResult<Outcome & { pause?: Pause | undefined }>>;
  resume(id: number, dryRun: boolean): Promise<ApiResult<Outcome>>;
  listPauses(): Promise<ApiResult<Pause[]>>;
  listActions(limit: number): Promise<ApiResult<Action[]>>;
  listLimits(): Promise<ApiResult<Limit[]>>;
  listSlowdowns(): Promise<ApiResult<Slowdown[]>>;
  listPaces(): Promise<ApiResult<Pace[]>>;
  listPaceChanges(query: {
    site?: string;
    address?: string;
    limit: number;
    before?: number;
  }): Promise<ApiResult<PaceChange[]>>;
  setLimit(destination: string, limit: Omit<Limit, 'destination'>): Promise<ApiResult<Limit>>;
  removeLimit(destination: string): Promise<ApiResult<null>>;
}

export function createControlApi({ mta, secrets }: Settings): ControlApi {
  const url = `http://127.0.0.1:${mta.controlPort}`;
  const call = <S extends TSchema>(schema: S, method: string, path: string, body?: object) =>
    request(schema, { url: new URL(`/queue${path}`, url), method, token: secrets.serviceToken, body });
  const pausedSchema = Type.Object({
    ...outcomeSchema.properties,
    pause: Type.Optional(createPauseSchema.response[201].properties.pause),
  });
  return {
    listDeliveries: (selector, page) =>
      call(listDeliveriesSchema.response[200], 'GET', `/deliveries?${toQuery({ ...selector, ...page })}`),
    showDelivery: (queueId, sequence) =>
      call(
        showDeliverySchema.response[200],
        'GET',
        `/deliveries/${encodeURIComponent(queueId)}/${encodeURIComponent(sequence)}`,
      ),
    readSummary: () => call(summarySchema.response[200], 'GET', '/summary'),
    readDiagnosis: () => call(diagnosisSchema.response[200], 'GET', '/diagnosis'),
    act: (verb, body) => call(outcomeSchema, 'POST', `/${verb}`, body),
    pause: (body) => call(pausedSchema, 'POST', '/pauses', body),
    resume: (id, dryRun) => call(outcomeSchema, 'DELETE', `/pauses/${id}?dryRun=${dryRun}`),
    listPauses: () => call(listPausesSchema.response[200], 'GET', '/pauses'),
    listActions: (limit) => call(listActionsSchema.response[200], 'GET', `/actions?limit=${limit}`),
    listLimits: () => call(listLimitsSchema.response[200], 'GET', '/limits'),
    listSlowdowns: () => call(listSlowdownsSchema.response[200], 'GET', '/slowdowns'),
    listPaces: () => call(listPacesSchema.response[200], 'GET', '/paces'),
    listPaceChanges: (query) =>
      call(listPaceChangesSchema.response[200], 'GET', `/pace_changes?${toQuery({ ...query })}`),
    setLimit: (destination, limit) =>
      call(setLimitSchema.response[200], 'PUT', `/limits/${encodeURIComponent(destination)}`, limit),
    removeLimit: (destination) => call(Type.Null(), 'DELETE', `/limits/${encodeURIComponent(destination)}`),
  };
}

interface Request {
  url: URL;
  method: string;
  token: string;
  body?: object | undefined;
}

async function request<S extends TSchema>(
  schema: S,
  { url, method, token, body }: Request,
): Promise<ApiResult<Static<S>>> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'x-postern-actor': `${userInfo().username}@${hostname()}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    return {
      ok: false,
      code: 0,
      reason: `the mta at ${url.origin} does not answer: ${describeFailure(error)}`,
    };
  }
  const value = text === '' ? null : parse(text);
  if (!response.ok)
    return { ok: false, code: response.status, reason: describeRefusal(response.status, value) };
  if (Value.Check(schema, value)) return { ok: true, value };
  return { ok: false, code: response.status, reason: `${url.origin} gave an answer that is not Postern's` };
}

const refusalSchema = Type.Object({ error: Type.Object({ message: Type.String() }) });

function describeRefusal(code: number, body: unknown): string {
  return Value.Check(refusalSchema, body) ? body.error.message : `HTTP ${code}`;
}

function toQuery(parameters: Record<string, string | number | boolean | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.toString();
}
