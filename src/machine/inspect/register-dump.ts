import type { Engine } from '../../cpu/index.ts';

const GENERAL = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'rip', 'rflags'] as const;
const SELECTORS = ['cs', 'ss', 'ds', 'es', 'fs', 'gs', 'ldtr', 'tr'] as const;
const CONTROL = ['cr0', 'cr2', 'cr3', 'cr4'] as const;
const TABLES = ['gdtr', 'idtr'] as const;

const PER_LINE = 4;

/** Every register that tells why a guest died, in lines of four. */
export function registerDump(engine: Engine): string {
  const value = (name: string, digits: number): string => engine.register(name).toString(16).padStart(digits, '0');
  const cells = (names: readonly string[], cell: (name: string) => string): string[] => {
    const lines: string[] = [];
    for (let i = 0; i < names.length; i += PER_LINE)
      lines.push(
        names
          .slice(i, i + PER_LINE)
          .map(cell)
          .join('  '),
      );
    return lines;
  };
  return [
    ...cells(GENERAL, (name) => `${name.padStart(6)} ${value(name, 16)}`),
    ...cells(SELECTORS, (name) => `${name.padStart(6)} ${value(name, 4)} base ${value(`${name}.base`, 8)}`),
    ...cells(CONTROL, (name) => `${name.padStart(6)} ${value(name, 16)}`),
    ...cells(TABLES, (name) => `${name.padStart(6)} ${value(`${name}.base`, 8)} limit ${value(`${name}.limit`, 4)}`),
  ].join('\n');
}
