/** At most `width` at a time. @returns how each ended, in the order of `items` */
export async function inTurns<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  for (let start = 0; start < items.length; start += width) {
    results.push(...(await Promise.allSettled(items.slice(start, start + width).map(work))));
  }
  return results;
}
