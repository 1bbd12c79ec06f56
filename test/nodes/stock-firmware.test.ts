import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { MachineNodes } from '../../src/host/machine-nodes.ts';
import { gpa } from '../../src/memory/index.ts';
import { MachineRun } from '../machine-run.ts';
import { stockFile } from '../stock-guest.ts';
import { hostTest } from './host-needs.ts';
import { temporaryFolder } from './process-facts.ts';
import { Program } from './program.ts';

const folder = temporaryFolder();

const config = (): ConstructorParameters<typeof MachineRun>[0] => ({
  name: 'vm',
  bootRom: stockFile('bios-256k.bin'),
  display: { width: 1024, height: 768, optionRom: stockFile('vgabios-bochs-display.bin') },
});

/** The display's BAR 0, by configuration mechanism 1 (PCI 2.1, 3.2.2.3.2). */
function moveFramebuffer({ machine }: MachineRun, address: number): void {
  machine.ports.write(0xcf8, 4, 0x8000_1010);
  machine.ports.write(0xcfc, 4, address);
}

describe('stock SeaBIOS on memory that other processes map', () => {
  hostTest(
    'runs as on private memory, to the instruction, and its nodes show what its memory is',
    ['nodes', 'stock SeaBIOS'],
    async () => {
      using nodes = new MachineNodes({ name: 'vm', folder });
      using shared = new MachineRun(config(), { makeArena: (request) => nodes.arenaStore(request) });
      using alone = new MachineRun(config());
      for (const run of [shared, alone]) await run.runUntil('No bootable device.', 'debugConsole');
      expect(shared.machine.engine.instructions).toBe(alone.machine.engine.instructions);
      expect(shared.trace).toEqual(alone.trace);
      for (const [name, path] of [
        ['ram', nodes.path()],
        ['bootrom', nodes.path('bootrom')],
        ['framebuffer', nodes.path('framebuffer')],
      ] as const) {
        expect(readFileSync(path).equals(alone.machine.memory.segment(name)!.bytes)).toBe(true);
      }
    },
  );

  hostTest(
    "moves its framebuffer, and Python's mapping of it still shows the screen",
    ['nodes', 'python3', 'stock SeaBIOS'],
    async () => {
      using nodes = new MachineNodes({ name: 'vm', folder });
      using run = new MachineRun(config(), { makeArena: (request) => nodes.arenaStore(request) });
      await run.runUntil('No bootable device.', 'debugConsole');
      using mapper = new Program('python3', [join(import.meta.dirname, 'mapper.py')]);
      expect(await mapper.ask(`map fb ${nodes.path('framebuffer')} ${4 * 1024 * 768} 0 r`)).toBe('ok');
      const sum = (): string =>
        String(
          run.machine.memory
            .segment('framebuffer')!
            .bytes.subarray(0, 4 * 1024 * 768)
            .reduce((total, byte) => total + byte, 0),
        );
      expect(await mapper.ask('sum fb')).toBe(sum());
      moveFramebuffer(run, 0xe000_0000);
      const [window] = run.machine.memory.mappingsOf(run.machine.memory.segment('framebuffer')!);
      expect(window?.gpa).toBe(0xe000_0000);
      run.machine.memory.write(gpa(0xe000_0000), new Uint8Array(4096).fill(0xff));
      expect(await mapper.ask('read fb 4092 8')).toBe('ffffffff00000000');
      expect(await mapper.ask('sum fb')).toBe(sum());
      run.machine.reset();
      expect(await mapper.ask('sum fb')).toBe(sum());
    },
  );
});
