import { readStack } from '../support/stack.ts';
import { describeDialogs } from './runner.ts';

describe('dialogs with the running gateway', () => {
  describeDialogs(readStack);
});
