/**
 * Whose turn it is: flows in turn by organization, within an organization by priority, within a priority by
 * destination. So neither a customer's burst nor a destination's backlog holds up the others.
 */
import type { FlowKey } from './rows.ts';

const PRIORITIES = 10;

export class FlowRing<Flow extends FlowKey> {
  /** A Map keeps its order of insertion: the first is next, and goes to the end when it has had its turn. */
  readonly #organizations = new Map<number, Map<string, Flow>[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(flow: Flow): void {
    const rings = this.#organizations.get(flow.organizationId) ?? newRings();
    this.#organizations.set(flow.organizationId, rings);
    const ring = rings[flow.priority];
    if (!ring || ring.has(flow.domain)) return;
    ring.set(flow.domain, flow);
    this.#size++;
  }

  delete(flow: Flow): boolean {
    const rings = this.#organizations.get(flow.organizationId);
    if (!rings?.[flow.priority]?.delete(flow.domain)) return false;
    this.#size--;
    if (rings.every((ring) => ring.size === 0)) this.#organizations.delete(flow.organizationId);
    return true;
  }

  has(flow: Flow): boolean {
    return this.#organizations.get(flow.organizationId)?.[flow.priority]?.has(flow.domain) ?? false;
  }

  /** The flow whose turn it is; its next turn comes after all others have had theirs. */
  next(): Flow | undefined {
    const first = this.#organizations.entries().next().value;
    if (!first) return undefined;
    const [organizationId, rings] = first;
    moveToEnd(this.#organizations, organizationId, rings);
    const ring = rings.find((candidate) => candidate.size > 0);
    const flow = ring?.values().next().value;
    if (ring && flow) moveToEnd(ring, flow.domain, flow);
    return flow;
  }
}

function newRings<Flow>(): Map<string, Flow>[] {
  return Array.from({ length: PRIORITIES }, () => new Map<string, Flow>());
}

function moveToEnd<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  map.delete(key);
  map.set(key, value);
}
