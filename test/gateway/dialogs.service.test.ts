import assert from 'node:assert/strict';
import { replies } from '../../gateway/replies.ts';
import { formatReply } from '../../lib/mail/reply.ts';
import { describeDialogs } from '../dialogs/runner.ts';
import { type ReplyScenario, replyScenarios } from './reply-scenarios.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

const scenarios: Readonly<Record<string, ReplyScenario | undefined>> = replyScenarios;

describe('dialogs with a gateway of its own', () => {
  const heard: string[] = [];
  let started: TestGateway;

  before(async () => {
    started = await startTestGateway();
  });
  after(() => started.close());

  describeDialogs(
    () => started.target,
    (reply) => heard.push(reply),
  );

  describe('and scenarios bring about', () => {
    for (const [name, reply] of Object.entries(replies)) {
      const line = `${reply.code} ${formatReply(reply)}`;
      it(`${name}: ${line}`, async () => {
        const scenario = scenarios[name];
        const lines = scenario ? await playScenario(scenario) : heard;
        assert.ok(
          lines.some((said) => said.startsWith(line)),
          `only ${lines.slice(-5)}`,
        );
      });
    }
  });
});

async function playScenario({ options, play }: ReplyScenario): Promise<string[]> {
  const started = await startTestGateway(options);
  try {
    return [await play(started)];
  } finally {
    await started.close();
  }
}
