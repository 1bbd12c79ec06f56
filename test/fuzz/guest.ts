import { assemble, gpa, Machine, type Pace } from '../../src/index.ts';

/** Sizes of what a machine of this fuzzer has. */
export const RAM = 16 * 2 ** 20;
export const BOOT_ROM = 128 * 2 ** 10;
export const OPTION_ROM = 4096;

/** The guest's own: its code, its stack, and the mailbox in which it finds what to do. No order leads here. */
const CODE = 0x5_0000;
const MAILBOX = 0x5_1000;
const STACK = 0x5_3000;

/** What the guest can be told, by number. */
const ORDERS = [
  'rest',
  'config1',
  'config2',
  'config4',
  'load1',
  'load2',
  'load4',
  'store1',
  'store2',
  'store4',
  'call',
  'a20',
  'apic',
] as const;
export type Order = (typeof ORDERS)[number];

/** Carries out one order, with a place and a value, leaves a result, and rests: 32 bits, flat, without interrupts. */
const PROGRAM = assemble(`
PLACE   equ ${MAILBOX + 4}
VALUE   equ ${MAILBOX + 8}
RESULT  equ ${MAILBOX + 12}
COUNT   equ ${MAILBOX + 16}
        org ${CODE}
        bits 32
        mov ebp, [COUNT]
done:   mov [RESULT], eax
        out 0xf4, al
next:   cmp ebp, [COUNT]
        je next
        mov ebp, [COUNT]
        mov ebx, [${MAILBOX}]
        mov esi, [PLACE]
        mov eax, [VALUE]
        jmp dword [table + ebx * 4]

rest:   jmp done

select: mov eax, esi
        and eax, 0xfffffffc
        mov edx, 0xcf8
        out dx, eax
        mov edx, esi
        and edx, 3
        add edx, 0xcfc
        mov eax, [VALUE]
        ret
config1: call select
        out dx, al
        jmp done
config2: call select
        out dx, ax
        jmp done
config4: call select
        out dx, eax
        jmp done

load1:  movzx eax, byte [esi]
        jmp done
load2:  movzx eax, word [esi]
        jmp done
load4:  mov eax, [esi]
        jmp done
store1: mov [esi], al
        jmp done
store2: mov [esi], ax
        jmp done
store4: mov [esi], eax
        jmp done
call:   xor eax, eax
        call esi
        jmp done
a20:    out 0x92, al
        jmp done
apic:   mov ecx, 0x1b
        xor edx, edx
        wrmsr
        jmp done

table:  dd ${ORDERS.join(', ')}
`).bytes;

/** From the reset vector to the program, which is in RAM already: RAM keeps its bytes. */
const BOOT = assemble(`
ROM     equ ${2 ** 32 - BOOT_ROM}
        org ROM
        bits 32
        times ${BOOT_ROM - 2 ** 16} db 0
start:  mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, ${STACK}
        mov eax, ${CODE}
        jmp eax
        align 8
gdt:    dq 0
        dq 0x00cf9a000000ffff
        dq 0x00cf92000000ffff
gdtr:   dw gdtr - gdt - 1
        dd gdt
        bits 16
        times ${BOOT_ROM - 0x80} - ($ - $$) db 0
enter:  cli
        o32 lgdt [cs:gdtr - 0xffff0000]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 0x08:start
        times ${BOOT_ROM - 16} - ($ - $$) db 0
        jmp near enter
        times ${BOOT_ROM} - ($ - $$) db 0
`).bytes;

/** `mov al, NUMBER; ret` */
export const procedure = (number: number): number => 0x00c3_00b0 | (number << 8);

/** A boot ROM, and an option ROM, with procedures at the places that guests call. */
function withProcedures(image: Uint8Array, first: number): Uint8Array {
  const bytes = image.slice();
  const view = new DataView(bytes.buffer);
  for (let at = 0x100; at < bytes.length - 0x100; at += 0x1000)
    view.setUint32(at, procedure(first + at / 0x1000), true);
  return bytes;
}

export const IMAGES = {
  bootrom: withProcedures(BOOT, 0x40),
  optionrom: withProcedures(new Uint8Array(OPTION_ROM), 0x80),
} as const;

/** Machine time, in nanoseconds, that no sequence of orders needs: a guest that has lost its way. */
const LOST = 100_000_000;

const pace: Pace = { breathe: () => undefined, sleep: () => Promise.resolve(), wake() {} };

/** A machine whose guest does, one at a time, what it is told. */
export class FuzzGuest implements Disposable {
  readonly machine: Machine;
  refusals = 0;
  readonly #mailbox: Uint8Array = new Uint8Array(20);
  #orders = 0;

  constructor() {
    const nobody = (): void => undefined;
    this.machine = new Machine(
      {
        name: 'fuzz',
        memory: RAM,
        deterministic: true,
        bootRom: IMAGES.bootrom,
        display: { width: 640, height: 480, optionRom: IMAGES.optionrom },
        debugExit: 0xf4,
      },
      { hostTime: () => 0, wallClock: () => 0, serial: nobody, debugConsole: nobody },
    );
    this.machine.refusals.on(() => this.refusals++);
    this.machine.memory.write(gpa(CODE), PROGRAM);
    this.machine.stopAt(LOST);
  }

  /** Runs from the reset vector until the guest waits for orders. */
  boot(): Promise<void> {
    return this.#run();
  }

  async order(order: Order, place: number, value: number): Promise<number> {
    const view = new DataView(this.#mailbox.buffer);
    view.setUint32(0, ORDERS.indexOf(order), true);
    view.setUint32(4, place, true);
    view.setUint32(8, value, true);
    view.setUint32(16, ++this.#orders, true);
    this.machine.memory.write(gpa(MAILBOX), this.#mailbox);
    await this.#run();
    this.machine.memory.read(gpa(MAILBOX), this.#mailbox);
    return view.getUint32(12, true);
  }

  async #run(): Promise<void> {
    const stop = await this.machine.run(pace);
    if (stop !== 'debug-exit') throw new Error(`the guest has lost its way: ${stop}`);
  }

  [Symbol.dispose](): void {
    this.machine[Symbol.dispose]();
  }
}
