import { instruction, type Instruction } from './instruction.ts';

/** Extensions of the integer instructions since 2008, each of which CPUID tells by a bit of its own (SDM volume 2). */
const BITS: readonly Instruction[] = [
  instruction('F3 0F BD /r', 'lzcnt Gv,Ev', 'w=cz u=osap'),
  instruction('F3 0F BC /r', 'tzcnt Gv,Ev', 'w=cz u=osap'),
  instruction('VEX NP 0F 38 F2 /r', 'andn Gy,By,Ey', 'w=oszc u=ap'),
  instruction('VEX NP 0F 38 F7 /r', 'bextr Gy,Ey,By', 'w=ozc u=sap'),
  instruction('VEX NP 0F 38 F3 /1', 'blsr By,Ey', 'w=oszc u=ap'),
  instruction('VEX NP 0F 38 F3 /2', 'blsmsk By,Ey', 'w=oszc u=ap'),
  instruction('VEX NP 0F 38 F3 /3', 'blsi By,Ey', 'w=oszc u=ap'),
  instruction('VEX NP 0F 38 F5 /r', 'bzhi Gy,Ey,By', 'w=oszc u=ap'),
  instruction('VEX F2 0F 38 F5 /r', 'pdep Gy,By,Ey'),
  instruction('VEX F3 0F 38 F5 /r', 'pext Gy,By,Ey'),
  instruction('VEX F2 0F 38 F6 /r', 'mulx Gy,By,Ey'),
  instruction('VEX F2 0F 3A F0 /r', 'rorx Gy,Ey,Ib'),
  instruction('VEX F3 0F 38 F7 /r', 'sarx Gy,Ey,By'),
  instruction('VEX 66 0F 38 F7 /r', 'shlx Gy,Ey,By'),
  instruction('VEX F2 0F 38 F7 /r', 'shrx Gy,Ey,By'),
];

const ARITHMETIC: readonly Instruction[] = [
  instruction('66 0F 38 F6 /r', 'adcx Gy,Ey', 'r=c w=c'),
  instruction('F3 0F 38 F6 /r', 'adox Gy,Ey', 'r=o w=o'),
];

const MOVES: readonly Instruction[] = [
  instruction('0F 0D /r', 'prefetchw Ev', 'handler=nop'),
  // With F3 there is no MOVBE, and with F2 it is CRC32.
  ...['NP', '66'].flatMap((prefix) => [
    instruction(`${prefix} 0F 38 F0 /r`, 'movbe Gv,Mv', 'handler=movbe_load'),
    instruction(`${prefix} 0F 38 F1 /r`, 'movbe Mv,Gv', 'handler=movbe_store'),
  ]),
];

const SYSTEM: readonly Instruction[] = [
  instruction('0F 01 F9', 'rdtscp', 'end'),
  instruction('0F 01 CA', 'clac', 'end'),
  instruction('0F 01 CB', 'stac', 'end'),
  instruction('F3 0F C7 /7', 'rdpid Rn', 'force64 register'),
  instruction('F3 0F AE /0', 'rdfsbase Ry', 'only64 register'),
  instruction('F3 0F AE /1', 'rdgsbase Ry', 'only64 register'),
  instruction('F3 0F AE /2', 'wrfsbase Ry', 'only64 register'),
  instruction('F3 0F AE /3', 'wrgsbase Ry', 'only64 register'),
];

export const EXTENSION_INSTRUCTIONS: readonly Instruction[] = [...BITS, ...ARITHMETIC, ...MOVES, ...SYSTEM];
