import koffi from 'koffi';
import { assemble } from '../../src/cpu/x86/assembler/index.ts';

const libc = koffi.load('libc.so.6');
const mmap = libc.func('uint64_t mmap(uint64_t, size_t, int, int, int, int64_t)') as (
  address: number,
  length: number,
  protection: number,
  flags: number,
  file: number,
  offset: number,
) => number | bigint;

const READ_WRITE_EXECUTE = 7;
/** MAP_PRIVATE, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE. */
const FLAGS = 0x02 | 0x20 | 0x10_0000;

/** Zero-filled bytes of this process at an address of the caller's choice, which may be executed. */
export function mapAt(address: number, length: number): Uint8Array {
  const mapped = Number(mmap(address, length, READ_WRITE_EXECUTE, FLAGS, -1, 0));
  if (mapped !== address) throw new Error(`cannot map ${length} bytes at 0x${address.toString(16)}`);
  return new Uint8Array(koffi.view(BigInt(address), length));
}

const GATE_TYPE = koffi.proto('int SkepGate()');

/** Selectors that Linux gives every x86-64 process: 32-bit code, 64-bit code, data. */
const CODE_32 = 0x23;
const CODE_64 = 0x33;
const DATA = 0x2b;

/**
 * Runs 32-bit code on the processor that this process runs on: a 64-bit process may jump to Linux's 32-bit code
 * segment and back. The code is jumped to with flat segments and any registers, and ends with a jump to `exit`.
 */
export class HostProcessor {
  /** Where 32-bit code jumps when it is done. */
  readonly exit: number;
  readonly #entry: DataView;
  readonly #call: () => number;

  /** Takes a page of the process at `address`. */
  constructor(address: number) {
    const page = mapAt(address, 4096);
    const { bytes, labels } = assemble(GATE, { origin: address, bits: 32 });
    page.set(bytes);
    const at = (label: string): number => labels.get(label) ?? 0;
    this.exit = at('exit');
    this.#entry = new DataView(page.buffer, page.byteOffset + at('entry') - address, 4);
    this.#call = () => koffi.call(BigInt(address), GATE_TYPE) as number;
  }

  /** Runs from `entry` until the code jumps to `exit`. */
  run(entry: number): void {
    this.#entry.setUint32(0, entry, true);
    this.#call();
  }
}

/** The way there and back. The 64-bit instructions are given as bytes. */
const GATE = `
  db 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57   ; push rbx, rbp, r12 to r15
  db 0x48, 0x89, 0x24, 0x25                                       ; mov [stack], rsp
  dd stack
  db 0xff, 0x2c, 0x25                                             ; jmp far [there]
  dd there
there: dd inside
  dw ${CODE_32}
inside:
  mov ax, ${DATA}
  mov ds, ax
  mov es, ax
  jmp [entry]
exit:
  jmp ${CODE_64}:back
back:
  xor eax, eax
  mov ds, ax
  mov es, ax
  cld
  db 0x48, 0x8b, 0x24, 0x25                                       ; mov rsp, [stack]
  dd stack
  db 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3
align 8, 0
stack: dq 0
entry: dd 0
`;
