import { gpa } from '../src/index.ts';
import { runKernel } from './multiboot-kernel.ts';

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
main:   ${asked.join('')}
        mov al, 0
        out 0xf4, al`;
  using run = runKernel(program);
  await run.run(1);
  const bytes = new Uint8Array(16 * leaves.length);
  run.machine.memory.read(gpa(ANSWERS), bytes);
  const view = new DataView(bytes.buffer);
  return leaves.map((_, index) => {
    const [eax = 0, ebx = 0, ecx = 0, edx = 0] = [0, 4, 8, 12].map((at) => view.getUint32(16 * index + at, true));
    return { eax, ebx, ecx, edx };
  });
}
