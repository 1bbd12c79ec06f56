/** One sequence to be looked at, by its number. */
const ONE = process.env['SKEP_SEQUENCE'];
/** A test takes seconds with this many. */
const PART = 16 * 1024;

/** Numbers of sequences, `usual` of them where SKEP_SEQUENCES does not say, in at least `least` parts. */
export function partsOf(usual: number, least = 1): (readonly [start: number, end: number])[] {
  if (ONE !== undefined) return Array.from({ length: least }, () => [Number(ONE), Number(ONE) + 1] as const);
  const count = Number(process.env['SKEP_SEQUENCES'] ?? usual);
  const parts = Math.ceil(Math.max(count / PART, least) / least) * least;
  const first = (part: number): number => Math.floor((part * count) / parts);
  return Array.from({ length: parts }, (_, part) => [first(part), first(part + 1)] as const);
}
