/** A process of its own with an RPC client: forked by a test, answers `{ id }` with what it finds. */
import { createTestClient, defineLookup, type TestClientOptions } from './support.ts';

export interface OtherAnswer {
  text: string;
  isSubscribed: boolean;
}

const [optionsJson = '{}', name = ''] = process.argv.slice(2);
const contract = { ...defineLookup(), name, path: `/rpc/v1/${name}/:id` };
const client = createTestClient(JSON.parse(optionsJson) as TestClientOptions);

process.on('message', async ({ id }: { id: string }) => {
  const result = await client.call(contract, { params: { id } });
  const text = result.ok ? result.value.text : result.reason;
  process.send?.({ text, isSubscribed: client.hasLogged('rpc.subscribed') } satisfies OtherAnswer);
});
process.on('disconnect', () => void client.close());
process.send?.('started');
