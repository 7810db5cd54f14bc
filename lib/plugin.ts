/**
 * What every ZoneMTA plugin of ours is made with. A hook answers exactly once, within its deadline; a throw becomes a
 * deferral. A plugin that cannot register ends the process (the gate in mta/queue/plugin-gate.ts sees it missing).
 */
import { register } from 'prom-client';
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { createLogger, type Logger } from './log.ts';
import { formatReply, type Reply } from './mail/reply.ts';
import type { RpcClient } from './rpc/client.ts';
import { createServiceClient } from './rpc/service-client.ts';

export const HOOK_DEADLINE_MS = 10_000;

/** An SMTP reply as ZoneMTA takes it from a hook. */
export class HookRefusal extends Error {
  readonly responseCode: number;
  readonly response: string;
  /** Decides instead of ZoneMTA's bounce rules whether a delivery is tried again. */
  readonly action: 'defer' | 'reject';

  constructor(reply: Reply) {
    super(formatReply(reply));
    this.responseCode = reply.code;
    this.response = `${reply.code} ${formatReply(reply)}`;
    this.action = reply.code < 500 ? 'defer' : 'reject';
  }
}

/**
 * Wraps the body of a hook. HookRefusals pass, anything else that goes wrong is logged and defers: 451 4.3.0.
 * The first `argumentCount` arguments are the hook's own; ZoneMTA adds a callback behind them that is not used.
 */
export function guard<Arguments extends unknown[]>(
  name: string,
  log: Logger,
  body: (...given: Arguments) => Promise<void> | void,
  deadlineMs = HOOK_DEADLINE_MS,
): (...given: Arguments) => Promise<void> {
  return async (...given) => {
    try {
      const answer = body(...given);
      if (answer) await withinDeadline(answer, deadlineMs);
    } catch (error) {
      if (error instanceof HookRefusal) throw error;
      log.error({ err: error, hook: name }, 'hook.failed');
      throw new HookRefusal({ code: 451, enhanced: '4.3.0', text: 'Temporary internal problem' });
    }
  };
}

async function withinDeadline(answer: Promise<void>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no result within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    await Promise.race([answer, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

export interface PluginContext {
  settings: Settings;
  log: Logger;
}

let context: PluginContext | undefined;
let rpc: RpcClient | undefined;

/** Settings and log, once a process. */
export function pluginContext(): PluginContext {
  if (!context) {
    const settings = loadSettings();
    context = { settings, log: createLogger('mta', settings.log) };
  }
  return context;
}

/**
 * How plugins ask the api, counted in the registry that ZoneMTA's own figures are in: one client, and so one cache and
 * one pair of Redis connections, a process.
 */
export function pluginRpc(): RpcClient {
  const { settings, log } = pluginContext();
  rpc ??= createServiceClient(settings, { log, registry: register });
  return rpc;
}
