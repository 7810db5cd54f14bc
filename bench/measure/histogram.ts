/** Quantiles of what a histogram in Prometheus' text format has counted between two readings. */

export interface Bucket {
  /** Upper bound, as it is exported */
  upTo: number;
  /** All observations up to it */
  count: number;
}

/** The buckets of one histogram without labels, smallest first; none when it is not in the text. */
export function parseBuckets(text: string, name: string): Bucket[] {
  const lines = text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, 'gm'));
  return [...lines].map(([, upTo, count]) => ({
    upTo: upTo === '+Inf' ? Number.POSITIVE_INFINITY : Number(upTo),
    count: Number(count),
  }));
}

export function subtractBuckets(later: readonly Bucket[], earlier: readonly Bucket[]): Bucket[] {
  return later.map(({ upTo, count }, index) => ({ upTo, count: count - (earlier[index]?.count ?? 0) }));
}

/**
 * The upper bound of the bucket in which the quantile lies: the true value is that or less.
 * @returns undefined when there are no observations
 */
export function quantileBound(buckets: readonly Bucket[], share: number): number | undefined {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return undefined;
  return buckets.find(({ count }) => count >= total * share)?.upTo;
}
