import { assemble } from '../src/index.ts';
import { gpa } from '../src/memory/index.ts';
import { standstillBootRom } from '../src/machine/direct-boot.ts';
import { MachineRun } from './machine-run.ts';

const ANSWERS = 0x10_3000;

export interface CpuidAnswer {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** What CPUID says, in its subleaf 0, to a guest of this machine: asked by a program that notes down the answers. */
export async function askCpuid(leaves: readonly number[]): Promise<CpuidAnswer[]> {
  const asked = leaves.map(
    (leaf, index) => `
        mov eax, ${leaf}
        mov ecx, 0
        cpuid
        mov [${ANSWERS + 16 * index}], eax
        mov [${ANSWERS + 16 * index + 4}], ebx
        mov [${ANSWERS + 16 * index + 8}], ecx
        mov [${ANSWERS + 16 * index + 12}], edx`,
  );
  const program = `
        org 0x100000
        bits 32
header: dd 0x1badb002, 0x10003, 0xe4514ffb
        dd header, header, 0, 0x104000, start
start:  ${asked.join('')}
        mov al, 0
        out 0xf4, al`;
  const boot = { kernel: { name: 'cpuid', bytes: assemble(program).bytes }, modules: [], commandLine: '' };
  using run = new MachineRun({ bootRom: standstillBootRom(), boot, debugExit: 0xf4 });
  await run.run(1);
  const bytes = new Uint8Array(16 * leaves.length);
  run.machine.memory.read(gpa(ANSWERS), bytes);
  const view = new DataView(bytes.buffer);
  return leaves.map((_, index) => {
    const [eax = 0, ebx = 0, ecx = 0, edx = 0] = [0, 4, 8, 12].map((at) => view.getUint32(16 * index + at, true));
    return { eax, ebx, ecx, edx };
  });
}
