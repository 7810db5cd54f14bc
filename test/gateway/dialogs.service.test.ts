import { describeDialogs } from '../dialogs/runner.ts';
import { startTestGateway, type TestGateway } from './test-gateway.ts';

describe('dialogs with a gateway of its own', () => {
  let started: TestGateway;

  before(async () => {
    started = await startTestGateway();
  });
  after(() => started.close());

  describeDialogs(() => started.target);
});
