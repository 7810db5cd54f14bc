import assert from 'node:assert/strict';
import { openGate } from '../../../mta/queue/plugin-gate.ts';
import type { PluginLoader } from '../../../mta/zone-mta.ts';

/** ZoneMTA's handler: goes on without a plugin that fails. */
function handlerOf(paths: string[], failing: string[] = []): PluginLoader {
  const handler: PluginLoader = {
    context: 'sender',
    queue: undefined,
    plugins: paths.map((path) => ({ path })),
    loaded: [],
    load(done) {
      handler.loaded = handler.plugins.filter(({ path }) => !failing.includes(path));
      setImmediate(done);
    },
  };
  return handler;
}

describe('plugin gate', () => {
  it('opens when all plugins are loaded, once', async () => {
    const handler = handlerOf(['a.ts', 'b.ts']);
    const gate = openGate(handler, 'queue');
    assert.equal(openGate(handler, 'queue'), gate);
    await gate;

    let isLoadedTwice = false;
    handler.loaded = [];
    await new Promise<void>((done) => handler.load(done));
    isLoadedTwice = handler.loaded.length > 0;

    assert.equal(isLoadedTwice, false);
    assert.equal(handler.queue, 'queue');
  });

  it('stays shut when one failed, and names it', async () => {
    await assert.rejects(
      openGate(handlerOf(['a.ts', 'b.ts'], ['b.ts']), 'queue'),
      /plugins of sender did not load: b\.ts/,
    );
  });
});
