import { expect } from 'vitest';
import { standstillBootRom } from '../src/index.ts';
import { busyboxInitrd } from './initrd.ts';
import { MachineRun } from './machine-run.ts';
import { stockFile, stockTest } from './stock-guest.ts';

const MiB = 2 ** 20;
const PROMPT = '/ # ';
/** Seconds of machine time. */
const LIMIT = 60;

/**
 * The functions of this guest: `pixel` reads and writes the framebuffer as programs do, through resource0, `at` any
 * address, and `bar` writes BAR 0 as setpci does, in pieces of so many bytes. Busybox's devmem has one name for what it
 * maps.
 */
const INIT = `export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
cat > /functions <<'END'
D=/sys/bus/pci/devices/0000:00:02.0
pixel() { rm -f /dev/mem; ln -s $D/resource0 /dev/mem; devmem "$@"; }
at() { rm -f /dev/mem; mknod /dev/mem c 1 1; devmem "$@"; }
bar() { printf "$2" | dd of=$D/config bs=$1 seek=$((16 / $1)) conv=notrunc 2>/dev/null; }
END
export ENV=/functions
exec setsid cttyhack sh -i`;

/** A shell on stock Linux, in which a test types. */
class Shell implements Disposable {
  readonly run: MachineRun;
  readonly #bytes: Uint8Array;
  #seen = 0;

  constructor(commandLine: string) {
    const initrd = { name: 'initrd', bytes: busyboxInitrd('busybox-amd64', INIT) };
    const kernel = { name: 'vmlinuz', bytes: stockFile('vmlinuz-amd64') };
    const boot = { kernel, modules: [initrd], commandLine: `console=ttyS0 ${commandLine}`, seed: new Uint8Array(32) };
    const display = { width: 1024, height: 768 };
    this.run = new MachineRun({ bootRom: standstillBootRom(), memory: 256 * MiB, boot, display });
    this.#bytes = this.run.machine.memory.segment('framebuffer')!.bytes;
  }

  /** What a command prints. */
  async type(command: string): Promise<string> {
    const { machine, serial } = this.run;
    machine.serialInput(new TextEncoder().encode(`${command}\n`));
    await this.run.runUntil(PROMPT, 'serial', LIMIT);
    const [, ...lines] = this.run.serial.slice(serial.length).replaceAll('\r', '').split('\n');
    return lines.slice(0, -1).join('\n');
  }

  /** What has happened to the display's memory since it was asked last: the trace without times. */
  deeds(): string[] {
    const lines = this.run.trace.slice(this.#seen).filter((line) => / pci 02\.0 /.test(line));
    this.#seen = this.run.trace.length;
    return lines.map((line) => line.replace(/^\S+ {2}pci 02\.0 /, ''));
  }

  /** The host's view: a pixel in the segment, wherever the guest sees it. It is the same view all the time. */
  pixel(index: number): string {
    expect(this.run.machine.memory.segment('framebuffer')?.bytes).toBe(this.#bytes);
    const value = new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getUint32(4 * index, true);
    return hex(value);
  }

  [Symbol.dispose](): void {
    this.run[Symbol.dispose]();
  }
}

const hex = (value: number): string => `0x${value.toString(16).toUpperCase().padStart(8, '0')}`;

stockTest('stock Linux moves the framebuffer and goes on drawing', ['vmlinuz-amd64', 'busybox-amd64'], async () => {
  using shell = new Shell('pci=realloc');
  await shell.run.runUntil(PROMPT, 'serial', LIMIT);
  expect(shell.run.serial).toContain('pci 0000:00:02.0: BAR 0 [mem 0x10000000-0x10ffffff pref]: assigned');

  // Drawn before, through resource0.
  await shell.type('echo 1 > $D/enable; pixel 0 32 0x11111111');
  expect(shell.deeds()).toEqual(['[04] = 0002:  +framebuffer 10000000-10ffffff rw-']);
  expect(shell.pixel(0)).toBe('0x11111111');

  // setpci to a new address: the picture is there, and nothing where it was.
  await shell.type("bar 4 '\\0\\0\\0\\320'");
  expect(shell.deeds()).toEqual([
    '[10] = d0000000:  -framebuffer 10000000-10ffffff rw-  +framebuffer d0000000-d0ffffff rw-',
  ]);
  expect(await shell.type('at 0xd0000000; at 0x10000000')).toBe('0x11111111\n0xFFFFFFFF');
  await shell.type('at 0xd0000004 32 0x22222222; at 0x10000000 32 0x99999999');
  expect([shell.pixel(0), shell.pixel(1)]).toEqual(['0x11111111', '0x22222222']);

  // To another by bytes, and to a third by words.
  await shell.type("bar 1 '\\0\\0\\0\\340'");
  expect(shell.deeds().at(-1)).toContain('+framebuffer e0000000-e0ffffff rw-');
  await shell.type("bar 2 '\\0\\0\\0\\361'");
  expect(shell.deeds().at(-1)).toContain('+framebuffer f1000000-f1ffffff rw-');
  expect(await shell.type('at 0xf1000004; at 0xe0000004')).toBe('0x22222222\n0xFFFFFFFF');

  // Onto the kernel's own memory: the register says so, the framebuffer waits, the kernel does not notice.
  await shell.type("bar 4 '\\0\\0\\0\\0'");
  expect(shell.deeds()).toEqual([
    '[10] = 00000000:  -framebuffer f1000000-f1ffffff rw-',
    '[10] = 00000000:  !Bochs display BAR 0 0-ffffff',
  ]);
  expect(await shell.type('dd if=$D/config bs=4 skip=4 count=1 2>/dev/null | hexdump -e \'"%08x\\n"\'')).toBe(
    '00000008',
  );

  // And back: resource0 shows all that was drawn.
  await shell.type("bar 4 '\\0\\0\\0\\020'");
  expect(shell.deeds()).toEqual(['[10] = 10000000:  +framebuffer 10000000-10ffffff rw-']);
  expect(await shell.type('pixel 0; pixel 4')).toBe('0x11111111\n0x22222222');

  // Taken out, and found again with an address that cannot be: the kernel chooses another.
  await shell.type("bar 4 '\\0\\0\\0\\376'; echo 1 > $D/remove; echo 1 > /sys/bus/pci/rescan; echo 1 > $D/enable");
  expect(shell.deeds()).toEqual([
    '[10] = fe000000:  -framebuffer 10000000-10ffffff rw-',
    '[10] = fe000000:  !Bochs display BAR 0 fe000000-feffffff',
    // Decoding goes off and on again while the kernel asks seven registers for their sizes.
    ...Array.from({ length: 7 }, () => '[04] = 0002:  !Bochs display BAR 0 fe000000-feffffff'),
    '[10] = 10000008:  +framebuffer 10000000-10ffffff rw-',
  ]);

  // Taken out, and found again at a good address: the kernel chooses another all the same.
  await shell.type("bar 4 '\\0\\0\\0\\320'; echo 1 > $D/remove; echo 1 > /sys/bus/pci/rescan; echo 1 > $D/enable");
  expect(shell.deeds().at(-1)).toBe(
    '[10] = 10000008:  -framebuffer d0000000-d0ffffff rw-  +framebuffer 10000000-10ffffff rw-',
  );
  expect(await shell.type('pixel 8 32 0x33333333; pixel 0; pixel 4; pixel 8')).toBe(
    '0x11111111\n0x22222222\n0x33333333',
  );
  expect([shell.pixel(0), shell.pixel(1), shell.pixel(2)]).toEqual(['0x11111111', '0x22222222', '0x33333333']);

  shell.run.machine.serialInput(new TextEncoder().encode('poweroff -f\n'));
  expect(await shell.run.run(LIMIT)).toBe('power-off');
});
