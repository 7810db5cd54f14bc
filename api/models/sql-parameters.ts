/** The values of a statement that is put together from parts: each gets its number when it is named. */
export class Parameters {
  readonly values: unknown[] = [];

  /** @returns the placeholder, as `$3` */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}
