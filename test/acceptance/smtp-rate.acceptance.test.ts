/** RS-5 through the running system: an organization over its rate is told so, by SMTP as by HTTP, and nobody else is. */
import assert from 'node:assert/strict';
import { ask, logIn, sendMessage } from '../gateway/session.ts';
import { createDomain, operate } from '../support/domains.ts';
import { postSend } from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

const PER_MINUTE = 5;
const TOO_FAST = /^451 4\.7\.1 You are sending emails too quickly/;

describe('the rate of an organization', () => {
  let stack: Stack;
  /** The stack as a customer of its own sees it */
  let limited: Stack;
  before(async () => {
    stack = readStack();
    const name = `rate-${Date.now()}`;
    const { organizationId, organizationToken } = await operate<{
      organizationId: number;
      organizationToken: string;
    }>('create-organization', '--name', name);
    await limitRate(organizationId);
    limited = {
      ...stack,
      organizationToken,
      ...(await createDomain({ ...stack, organizationToken }, `${name}.test`)),
    };
  });

  async function limitRate(organizationId: number): Promise<void> {
    const { operatorToken } = await operate<{ operatorToken: string }>(
      'create-operator-token',
      '--name',
      'rate',
    );
    const response = await fetch(`${stack.api}/api/v1/organizations/${organizationId}`, {
      method: 'PATCH',
      headers: {
        ...{ accept: 'application/json', 'content-type': 'application/json' },
        'postern-operator-token': operatorToken,
      },
      body: JSON.stringify({ organization: { messages_per_minute: PER_MINUTE } }),
    });
    assert.equal(response.status, 200, await response.text());
  }

  it('RS-5: ten times over it, what fits is taken, the rest is put off, and nothing is dropped in silence', async () => {
    const client = await logIn(limited);
    const replies: string[] = [];
    for (let turn = 0; turn < 10 * PER_MINUTE; turn += 1) {
      const mail = await ask(client, `MAIL FROM:<ann@${limited.domain}>`);
      await ask(client, 'RSET');
      replies.push(mail.startsWith('250 ') ? await sendMessage(client, limited) : mail);
    }
    client.close();
    const taken = replies.filter((reply) => /^250 2\.0\.0 Ok: queued as \d+$/.test(reply));
    assert.ok(
      replies.every((reply) => taken.includes(reply) || TOO_FAST.test(reply)),
      replies.join('\n'),
    );
    // While Redis is late, the api counts alone.
    assert.ok(taken.length >= PER_MINUTE && taken.length <= 2 * PER_MINUTE, `${taken.length} taken`);

    const answer = await postSend(
      stack,
      { from: `ann@${limited.domain}`, to: 'b@example.test', textbody: 'x' },
      limited.token,
    );
    assert.equal(answer.status, 429);
  });

  it('is of nobody else', async () => {
    const client = await logIn(stack);
    assert.match(await sendMessage(client, stack), /^250 /);
    client.close();
  });
});
