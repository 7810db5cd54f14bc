import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendMessage } from './session.ts';
import { startTestInbound, type TestInbound } from './test-inbound.ts';

const MESSAGE = 'From: a@out.example\r\n\r\nx';

describe('the spam check of the inbound server, by an rspamd that says what the test wants', () => {
  let rspamd: Server;
  let score = 0;
  let started: TestInbound;
  before(async () => {
    rspamd = createServer((request, response) => {
      request.resume().once('end', () => {
        const symbols = { BAD: { name: 'BAD', score } };
        response.end(JSON.stringify({ score, required_score: 15, action: 'no action', symbols }));
      });
    }).listen(0, '127.0.0.1');
    await once(rspamd, 'listening');
    const { port } = rspamd.address() as AddressInfo;
    started = await startTestInbound({ checksSpam: true }, { spamUrl: `http://127.0.0.1:${port}` });
  });
  after(() => started.close());

  it('gives score and symbols on', async () => {
    score = 14.9;
    assert.match(await sendMessage(started, MESSAGE), /^250 /);
    const [message] = started.api.messages;
    assert.deepEqual(message?.spam, { score, action: 'no action', symbols: [{ name: 'BAD', score }] });
  });

  it("refuses from the route's threshold on", async () => {
    score = 15;
    assert.match(await sendMessage(started, MESSAGE), /^550 5\.7\.1 The message looks like spam/);
    assert.equal(started.api.messages.length, 1);
  });

  it('defers while rspamd is down (spam.onFailure)', async () => {
    rspamd.close();
    rspamd.closeAllConnections();
    assert.match(await sendMessage(started, MESSAGE), /^45\d 4\.\d\.\d /);
    assert.equal(started.api.messages.length, 1);
  });
});
