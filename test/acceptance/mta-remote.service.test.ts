/** What remote servers do to a delivery (DU-4, DU-5, OB-9, RS-14): with the real mta and a server that misbehaves. */
import assert from 'node:assert/strict';
import { handOverUntilAccepted } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { countRows } from '../support/queue.ts';
import { DROP } from '../support/scripted-sink.ts';

describe('mta and remote servers', function () {
  this.timeout(120_000);
  let world: MtaWorld;
  before(async () => {
    world = await createMtaWorld('remote');
    await world.mta.start();
  });
  after(() => world.close());
  afterEach(() => world.sink.reset());

  const typesOf = (messageId: number) => world.api.eventsOf(messageId).map(({ type }) => type);
  const waitForTypes = (messageId: number, types: string[]) =>
    waitFor(`message ${messageId} to be ${types.join(', ')}`, async () => {
      const actual = typesOf(messageId);
      return types.every(
        (type) => actual.filter((other) => other === type).length >= types.filter((t) => t === type).length,
      )
        ? true
        : undefined;
    });

  it('DU-4: a link that is dropped after the dot, without a reply, means to try again', async () => {
    let drops = 0;
    world.sink.script = ({ stage }) => (stage === 'dot' && drops++ === 0 ? DROP : undefined);
    const message = world.newMessage();

    await handOverUntilAccepted(world.settings, message);

    await waitForTypes(message.messageId, ['delivered']);
    assert.deepEqual(typesOf(message.messageId), ['deferred', 'delivered']);
    assert.equal(world.sink.arrivals.length, 2); // RFC 5321 4.5.3.2.6: the client cannot know
    assert.equal(world.sink.copies(message.to[0] ?? ''), 1);
    assert.equal(await countRows(world.database, 'deliveries'), 0);
  });
});
