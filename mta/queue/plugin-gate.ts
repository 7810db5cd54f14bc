/**
 * Nothing is accepted or sent before the plugins are in place, and a plugin that does not load ends the process.
 *
 * ZoneMTA starts listening and sending first, loads plugins beside that, and goes on without one that fails. Its
 * processes open their queue before either, so the queue loads the plugins first.
 */
import { type PluginLoader, pluginHandler } from '../zone-mta.ts';

const gates = new WeakMap<PluginLoader, Promise<void>>();

/** Resolves when all plugins of this process are loaded. Called again, it gives the same promise. */
export function loadPlugins(queue: unknown): Promise<void> {
  return openGate(pluginHandler(), queue);
}

export function openGate(handler: PluginLoader, queue: unknown): Promise<void> {
  const known = gates.get(handler);
  if (known) return known;
  handler.queue = queue;
  const gate = new Promise<void>((resolve) => handler.load(resolve)).then(() => assertAllLoaded(handler));
  gates.set(handler, gate);
  // ZoneMTA loads them once more when it has started.
  handler.load = (done) => void gate.then(done);
  return gate;
}

function assertAllLoaded(handler: PluginLoader): void {
  const loaded = new Set(handler.loaded.map((plugin) => plugin.path));
  const missing = handler.plugins.filter((plugin) => !loaded.has(plugin.path)).map((plugin) => plugin.path);
  if (missing.length > 0)
    throw new Error(`plugins of ${handler.context} did not load: ${missing.join(', ')}`);
}
