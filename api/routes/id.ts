/** An id no row has. */
const NONE = 0;

/** The id in a path. What is no id at all names nothing, just as an id that is not there (AU-9). */
export function readId(text: string): number {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : NONE;
}
