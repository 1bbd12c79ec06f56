import { PAGE_FLAG } from './page-flag.ts';

/** What the guest may do with a mapping. At least one of the three; FreeBSD's vmm accepts the same seven. */
export type Prot = 'r--' | '-w-' | 'rw-' | '--x' | 'r-x' | '-wx' | 'rwx';

const { READ, WRITE, EXECUTE } = PAGE_FLAG;

/** The page flags of each protection. */
export const PROT_FLAGS: Readonly<Record<Prot, number>> = {
  'r--': READ,
  '-w-': WRITE,
  'rw-': READ | WRITE,
  '--x': EXECUTE,
  'r-x': READ | EXECUTE,
  '-wx': WRITE | EXECUTE,
  rwx: READ | WRITE | EXECUTE,
};

export const PROTS: readonly Prot[] = Object.keys(PROT_FLAGS).filter(isProt);

export function isProt(value: unknown): value is Prot {
  return typeof value === 'string' && Object.hasOwn(PROT_FLAGS, value);
}
