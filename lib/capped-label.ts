/**
 * A label of a metric whose values come from outside: each is a time series that Prometheus keeps. The first so many are
 * told apart, in the life of a process; what comes after them is counted together as `other`.
 */
const OTHER = 'other';

export function capLabel(max: number): (value: string | number | undefined) => string {
  const known = new Set<string>();
  return (value) => {
    const label = String(value ?? OTHER);
    if (known.has(label)) return label;
    if (known.size >= max) return OTHER;
    known.add(label);
    return label;
  };
}
