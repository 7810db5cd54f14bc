/** What Haraka's rspamd plugin found out about a message, as the api is told it. */
import Type from 'typebox';
import Value from 'typebox/value';
import type { NewInboundMessage } from '../lib/rpc/contracts/inbound-messages.ts';
import type { Results } from './haraka.ts';

const MAX_SYMBOLS = 500;

const verdictSchema = Type.Object({
  score: Type.Number(),
  action: Type.String(),
  symbols: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
const symbolSchema = Type.Object({ score: Type.Number() });

/** Null: not checked, or the check failed and spam.onFailure lets the message pass. */
export function readSpamVerdict(results: Results): NewInboundMessage['spam'] {
  const found = results.get('rspamd');
  if (!Value.Check(verdictSchema, found)) return null;
  const symbols = Object.entries(found.symbols ?? {})
    .slice(0, MAX_SYMBOLS)
    .map(([name, value]) => ({ name: name.slice(0, 200), score: scoreOf(value) }));
  return { score: found.score, action: found.action.slice(0, 100), symbols };
}

function scoreOf(symbol: unknown): number {
  if (typeof symbol === 'number') return symbol;
  return Value.Check(symbolSchema, symbol) ? symbol.score : 0;
}
