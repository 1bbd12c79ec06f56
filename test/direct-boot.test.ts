import { describe, expect, test } from 'vitest';
import { assemble, ConfigError } from '../src/index.ts';
import { standstillBootRom, type KernelConfig } from '../src/machine/direct-boot.ts';
import { planBoot } from '../src/machine/loaders/load.ts';
import { Random, SEED } from './random.ts';
import { MachineRun } from './machine-run.ts';
import { MULTIBOOT_KERNEL } from './multiboot-kernel.ts';
import { stockFile, stockTest } from './stock-guest.ts';

const MiB = 2 ** 20;

function start(kernel: Uint8Array, options: Partial<KernelConfig> = {}, memory = 128 * MiB): MachineRun {
  const boot = { kernel: { name: 'kernel', bytes: kernel }, modules: [], commandLine: '', ...options };
  return new MachineRun({ bootRom: standstillBootRom(), memory, boot, debugExit: 0xf4 });
}

const text = (name: string, words: string): KernelConfig['kernel'] => ({
  name,
  bytes: new TextEncoder().encode(words),
});

describe('a multiboot kernel', () => {
  test('runs, finds what it was given, and ends the run with a status of its own', async () => {
    const modules = [text('one', 'first module'), text('two', 'second module')];
    using run = start(MULTIBOOT_KERNEL, { commandLine: 'hello 5', modules });
    expect(await run.run()).toBe('debug-exit');
    expect(run.serial).toBe('kernel hello 5\nfirst module\nsecond module\n');
    expect(run.machine.exitStatus).toBe((5 << 1) | 1);
    expect(run.machine.bootProtocol).toBe('multiboot 1');
  });

  test('finds the chipset as firmware would have left it', () => {
    using run = start(MULTIBOOT_KERNEL);
    const { ports } = run.machine;
    const config = (address: number, size: 1 | 4): number => {
      ports.write(0xcf8, 4, address);
      return ports.read(0xcfc, size);
    };
    expect(config(0x8000_0860, 4)).toBe(0x0b0b_0a0a);
    expect(config(0x8000_0b3c, 1)).toBe(9);
    expect(ports.read(0x4d0, 2)).toBe(0x0e00);
    // The timer of power management counts at its port.
    expect(ports.isFree(0x608, 4)).toBe(false);
  });

  test.each([
    [128, 0x8000_0000, 0xff_8000_0800],
    [2048, 0x8000_0000, 0xff_8000_0800],
    [2049, 0xc000_0000, 0xff_c000_0800],
  ])('with %i MiB finds the memory types as firmware would have left them', (megabytes, base, mask) => {
    using run = start(MULTIBOOT_KERNEL, {}, megabytes * MiB);
    const { engine } = run.machine;
    for (const when of ['at first', 'after a reset']) {
      const registers = ['default', 'fixed0', 'fixed1', 'fixed2', 'base0', 'mask0', 'base1', 'mask1'];
      expect(
        registers.map((name) => Number(engine.register(`mtrr.${name}`))),
        when,
      ).toEqual([0xc06, Number(0x0606_0606_0606_0606n), Number(0x0606_0606_0606_0606n), 0, base, mask, 0, 0]);
      run.machine.reset();
    }
  });

  test('is there again, as it was, after a reset', async () => {
    using run = start(MULTIBOOT_KERNEL, { commandLine: 'x 3' });
    await run.run();
    run.machine.reset();
    await run.run();
    expect(run.serial).toBe('kernel x 3\n'.repeat(2));
  });

  test('does not start a machine that has too little memory for it', () => {
    expect(() => start(MULTIBOOT_KERNEL, {}, MiB)).toThrow('needs at least 2 MiB');
    expect(() =>
      start(MULTIBOOT_KERNEL, { modules: [{ name: 'm', bytes: new Uint8Array(4 * MiB) }] }, 4 * MiB),
    ).toThrow("module 'm' of 4194304 bytes does not fit");
  });
});

/** An ELF file of 32 bits with a PVH note: says the text of its command line and how many modules it has. */
const PVH_KERNEL = `
        org 0x100000
        bits 32
file:   db 0x7f, 'ELF', 1, 1, 1
        times 9 db 0
        dw 2, 3
        dd 1, start, 52, 0, 0
        dw 52, 32, 2, 0, 0, 0
        dd 1, 0, file, file, end - file, 0x4000, 7, 4096
        dd 4, note - file, note, note, 20, 20, 4, 4
note:   dd 4, 4, 18
        db 'Xen', 0
        dd start
start:  mov esp, file + 0x4000
        cmp dword [ebx], 0x336ec578
        jne .end
        mov esi, [ebx + 24]
        mov dx, 0x3f8
.next:  lodsb
        test al, al
        jz .done
        out dx, al
        jmp .next
.done:  mov al, [ebx + 12]
        add al, '0'
        out dx, al
        mov esi, [ebx + 32]
        mov al, [esi]
        out dx, al
.end:   mov al, 1
        out 0xf4, al
end:
`;

test('a PVH kernel finds command line, modules and the ACPI tables', async () => {
  const module = { name: 'm', bytes: new Uint8Array(5000) };
  using run = start(assemble(PVH_KERNEL).bytes, { modules: [module, module, module], commandLine: 'hello ' });
  expect([await run.run(1), run.serial, run.machine.exitStatus]).toEqual(['debug-exit', 'hello 3R', 3]);
  expect(run.machine.bootProtocol).toBe('PVH, ELF32');
});

test('the exit device is refused where something else is', () => {
  const boot = { kernel: text('kernel', ''), modules: [], commandLine: '' };
  expect(() => new MachineRun({ bootRom: standstillBootRom(), boot })).toThrow('is no bzImage');
  expect(() => new MachineRun({ bootRom: standstillBootRom(), debugExit: 0x3f8 })).toThrow(ConfigError);
  expect(() => new MachineRun({ bootRom: standstillBootRom(), debugExit: 0xfffe })).toThrow('port 0xfffe');
});

describe("the headers of Debian's kernels", () => {
  const map = [
    { start: 0, length: 0x9_fc00, type: 'ram' as const },
    { start: MiB, length: 255 * MiB, type: 'ram' as const },
  ];
  const request = (bytes: Uint8Array) => ({
    kernel: { name: 'vmlinuz', bytes },
    modules: [{ name: 'initrd', bytes: new Uint8Array(3 * MiB) }],
    commandLine: 'console=ttyS0',
    ram: { below4GiB: 256 * MiB, above4GiB: 0 },
    map,
    rsdp: 0x9_fc00,
  });

  stockTest('ask for the 64-bit protocol at 16 MiB', ['vmlinuz-amd64'], () => {
    const { protocol, registers } = planBoot(request(stockFile('vmlinuz-amd64')));
    expect([protocol, registers['rip']]).toEqual(['Linux 2.15, 64-bit', BigInt(16 * MiB + 0x200)]);
  });

  stockTest('ask for the 32-bit protocol at 16 MiB', ['vmlinuz-686'], () => {
    const { protocol, registers } = planBoot(request(stockFile('vmlinuz-686')));
    expect([protocol, registers['rip']]).toEqual(['Linux 2.15, 32-bit', BigInt(16 * MiB)]);
  });

  stockTest(`with some bytes changed are started or refused in one sentence (seed ${SEED})`, ['vmlinuz-686'], () => {
    const image = stockFile('vmlinuz-686');
    const random = new Random(SEED);
    let [started, refused] = [0, 0];
    for (let round = 0; round < 5000; round++) {
      const undo = Array.from({ length: 1 + random.below(4) }, () => {
        const at = 0x1f0 + random.below(0x90);
        const before = image[at] ?? 0;
        image[at] = random.pick([0, 0xff, random.byte(), 1 << random.below(8)]);
        return [at, before] as const;
      });
      const length = random.once(10) ? random.below(image.length) : image.length;
      try {
        const { writes } = planBoot(request(image.subarray(0, length)));
        for (const { gpa, bytes } of writes) {
          const inRam = map.some(({ start, length }) => gpa >= start && gpa + bytes.length <= start + length);
          if (!inRam) throw new Error(`a write at ${gpa}`);
        }
        started++;
      } catch (error) {
        if (!(error instanceof ConfigError) || error.message.includes('\n')) throw error;
        refused++;
      }
      for (const [at, before] of undo.reverse()) image[at] = before;
    }
    expect([started > 100, refused > 100]).toEqual([true, true]);
  });
});

describe("Debian's kernel for i386", () => {
  stockTest('starts without firmware and believes its map and tables', ['vmlinuz-686'], async () => {
    using run = start(stockFile('vmlinuz-686'), { commandLine: 'earlyprintk=serial,ttyS0,115200 nokaslr' });
    await run.runUntil('Booting paravirtualized kernel', 'serial');
    expect(run.serial).toMatch(/Linux version 6\.\d+\.\d+/);
    expect(run.serial).toContain('BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable');
    expect(run.serial).toMatch(/BIOS-e820: \[mem 0x0*100000-0x0*7ffefff\] usable/);
    for (const table of ['RSDP', 'XSDT', 'FACP', 'DSDT', 'FACS', 'APIC', 'HPET']) {
      expect(run.serial).toMatch(new RegExp(`ACPI: ${table} 0x`));
    }
    expect(run.serial).not.toMatch(/ACPI.*(error|warning|invalid)/i);
  });
});
