/** The caller asked for a place on a bus that cannot be had. */
export class BusError extends Error {
  override readonly name = 'BusError';
  readonly code: 'EINVAL' | 'EEXIST';
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: 'EINVAL' | 'EEXIST', sentence: string, facts: Readonly<Record<string, unknown>>) {
    super(sentence);
    this.code = code;
    this.facts = facts;
  }
}
