import { instruction, type Instruction } from './instruction.ts';
import { MMX_INSTRUCTIONS } from './mmx-instructions.ts';
import { SSE_INSTRUCTIONS } from './sse-instructions.ts';
import { X87_INSTRUCTIONS } from './x87-instructions.ts';

/** Conditions in the order of their encoding, with the flags each reads (SDM volume 1, appendix B). */
export const CONDITIONS: readonly { readonly name: string; readonly reads: string }[] = [
  { name: 'o', reads: 'o' },
  { name: 'no', reads: 'o' },
  { name: 'b', reads: 'c' },
  { name: 'ae', reads: 'c' },
  { name: 'e', reads: 'z' },
  { name: 'ne', reads: 'z' },
  { name: 'be', reads: 'cz' },
  { name: 'a', reads: 'cz' },
  { name: 's', reads: 's' },
  { name: 'ns', reads: 's' },
  { name: 'p', reads: 'p' },
  { name: 'np', reads: 'p' },
  { name: 'l', reads: 'so' },
  { name: 'ge', reads: 'so' },
  { name: 'le', reads: 'soz' },
  { name: 'g', reads: 'soz' },
];

const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0');

/** The eight two-operand operations that share one encoding pattern, in the order of their number. */
const ARITHMETIC: readonly { readonly name: string; readonly effects: string }[] = [
  { name: 'add', effects: 'w=oszapc lock' },
  { name: 'or', effects: 'w=oszpc u=a lock' },
  { name: 'adc', effects: 'r=c w=oszapc lock' },
  { name: 'sbb', effects: 'r=c w=oszapc lock' },
  { name: 'and', effects: 'w=oszpc u=a lock' },
  { name: 'sub', effects: 'w=oszapc lock' },
  { name: 'xor', effects: 'w=oszpc u=a lock' },
  { name: 'cmp', effects: 'w=oszapc' },
];

function arithmetic({ name, effects }: { name: string; effects: string }, number: number): Instruction[] {
  const base = number * 8;
  return [
    instruction(`${hex(base)} /r`, `${name} Eb,Gb`, effects),
    instruction(`${hex(base + 1)} /r`, `${name} Ev,Gv`, effects),
    instruction(`${hex(base + 2)} /r`, `${name} Gb,Eb`, effects.replace(' lock', '')),
    instruction(`${hex(base + 3)} /r`, `${name} Gv,Ev`, effects.replace(' lock', '')),
    instruction(hex(base + 4), `${name} AL,Ib`, effects.replace(' lock', '')),
    instruction(hex(base + 5), `${name} rAX,Iz`, effects.replace(' lock', '')),
    instruction(`80 /${number}`, `${name} Eb,Ib`, effects),
    instruction(`81 /${number}`, `${name} Ev,Iz`, effects),
    instruction(`82 /${number}`, `${name} Eb,Ib`, `${effects} no64`),
    instruction(`83 /${number}`, `${name} Ev,Ibs`, effects),
  ];
}

/**
 * Shifts and rotates. A count of zero (after masking to 5 or 6 bits) changes no flag; OF is defined only for a count
 * of one, and CF of SHL and SHR only while the count is less than the operand's width.
 */
const SHIFTS: readonly { readonly number: number; readonly name: string; readonly effects: string }[] = [
  { number: 0, name: 'rol', effects: 'w=oc' },
  { number: 1, name: 'ror', effects: 'w=oc' },
  { number: 2, name: 'rcl', effects: 'r=c w=oc' },
  { number: 3, name: 'rcr', effects: 'r=c w=oc' },
  { number: 4, name: 'shl', effects: 'w=oszpc u=a' },
  { number: 5, name: 'shr', effects: 'w=oszpc u=a' },
  { number: 6, name: 'shl', effects: 'w=oszpc u=a' },
  { number: 7, name: 'sar', effects: 'w=oszpc u=a' },
];

const shift = ({ number, name, effects }: { number: number; name: string; effects: string }): Instruction[] => [
  instruction(`C0 /${number}`, `${name} Eb,Ib`, effects),
  instruction(`C1 /${number}`, `${name} Ev,Ib`, effects),
  instruction(`D0 /${number}`, `${name} Eb,1`, effects),
  instruction(`D1 /${number}`, `${name} Ev,1`, effects),
  instruction(`D2 /${number}`, `${name} Eb,CL`, effects),
  instruction(`D3 /${number}`, `${name} Ev,CL`, effects),
];

const conditional = ({ name, reads }: { name: string; reads: string }, number: number): Instruction[] => [
  instruction(hex(0x70 + number), `j${name} Jb`, `r=${reads} end default64 handler=jcc`),
  instruction(`0F ${hex(0x80 + number)}`, `j${name} Jz`, `r=${reads} end default64 handler=jcc`),
  instruction(`0F ${hex(0x90 + number)} /r`, `set${name} Eb`, `r=${reads} handler=setcc`),
  instruction(`0F ${hex(0x40 + number)} /r`, `cmov${name} Gv,Ev`, `r=${reads} handler=cmovcc`),
];

/** BT, BTS, BTR, BTC. With a register bit offset and memory, the offset reaches beyond the operand. */
const bitTest = (name: string, byRegister: string, number: number): Instruction[] => {
  const effects = `w=c u=osap${name === 'bt' ? '' : ' lock'}`;
  return [
    instruction(`0F ${byRegister} /r`, `${name} Ev,Gv`, effects),
    instruction(`0F BA /${number}`, `${name} Ev,Ib`, effects),
  ];
};

/** PUSH and POP of the segment registers that have opcodes of their own. */
const segmentStack = (name: string, push: string, pop: string | undefined, traits: string): Instruction[] => [
  instruction(push, `push ${name}`, `${traits} handler=push_segment`),
  ...(pop === undefined ? [] : [instruction(pop, `pop ${name}`, `${traits} end handler=pop_segment`)]),
];

/** MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS: a byte row and an operand-size row. */
const string = (opcode: number, name: string, operands: (width: string) => string, effects: string): Instruction[] => [
  instruction(hex(opcode), `${name}b ${operands('b')}`, `${effects} handler=${name}`),
  instruction(hex(opcode + 1), `${name} ${operands(name === 'ins' || name === 'outs' ? 'z' : 'v')}`, effects),
];

const MOVES: readonly Instruction[] = [
  instruction('88 /r', 'mov Eb,Gb'),
  instruction('89 /r', 'mov Ev,Gv'),
  instruction('8A /r', 'mov Gb,Eb'),
  instruction('8B /r', 'mov Gv,Ev'),
  instruction('8C /r', 'mov Ev,Sw', 'handler=mov_from_segment'),
  instruction('8E /r', 'mov Sw,Ew', 'end handler=mov_to_segment'),
  instruction('A0', 'mov AL,Ob'),
  instruction('A1', 'mov rAX,Ov'),
  instruction('A2', 'mov Ob,AL'),
  instruction('A3', 'mov Ov,rAX'),
  instruction('B0 +r', 'mov Zb,Ib'),
  instruction('B8 +r', 'mov Zv,Iv'),
  instruction('C6 /0', 'mov Eb,Ib'),
  instruction('C7 /0', 'mov Ev,Iz'),
  instruction('0F 20 /r', 'mov Rn,Cn', 'u=oszapc privileged handler=mov_from_control'),
  instruction('0F 22 /r', 'mov Cn,Rn', 'u=oszapc privileged end handler=mov_to_control'),
  instruction('0F 21 /r', 'mov Rn,Dn', 'u=oszapc privileged handler=mov_from_debug'),
  instruction('0F 23 /r', 'mov Dn,Rn', 'u=oszapc privileged end handler=mov_to_debug'),
  instruction('0F B6 /r', 'movzx Gv,Eb'),
  instruction('0F B7 /r', 'movzx Gv,Ew'),
  instruction('0F BE /r', 'movsx Gv,Eb'),
  instruction('0F BF /r', 'movsx Gv,Ew'),
  instruction('86 /r', 'xchg Eb,Gb', 'lock'),
  instruction('87 /r', 'xchg Ev,Gv', 'lock'),
  instruction('90', 'nop'),
  instruction('F3 90', 'pause', 'handler=nop'),
  instruction('90 +r', 'xchg Zv,rAX'),
  instruction('0F 1F /r', 'nop Ev', 'handler=nop'),
  instruction('0F 18 /r', 'nop Ev', 'handler=nop'),
  instruction('0F 19 /r', 'nop Ev', 'handler=nop'),
  instruction('0F 1A /r', 'nop Ev', 'handler=nop'),
  instruction('0F 1B /r', 'nop Ev', 'handler=nop'),
  instruction('0F 1C /r', 'nop Ev', 'handler=nop'),
  instruction('0F 1D /r', 'nop Ev', 'handler=nop'),
  instruction('0F 1E /r', 'nop Ev', 'handler=nop'),
  instruction('0F C8 +r', 'bswap Zy'),
  instruction('D7', 'xlat'),
  instruction('8D /r', 'lea Gv,M'),
  instruction('C4 /r', 'les Gv,Mp', 'end no64 handler=load_far_pointer'),
  instruction('C5 /r', 'lds Gv,Mp', 'end no64 handler=load_far_pointer'),
  instruction('0F B2 /r', 'lss Gv,Mp', 'end handler=load_far_pointer'),
  instruction('0F B4 /r', 'lfs Gv,Mp', 'end handler=load_far_pointer'),
  instruction('0F B5 /r', 'lgs Gv,Mp', 'end handler=load_far_pointer'),
];

const STACK: readonly Instruction[] = [
  ...segmentStack('ES', '06', '07', 'no64'),
  ...segmentStack('CS', '0E', undefined, 'no64'),
  ...segmentStack('SS', '16', '17', 'no64'),
  ...segmentStack('DS', '1E', '1F', 'no64'),
  ...segmentStack('FS', '0F A0', '0F A1', ''),
  ...segmentStack('GS', '0F A8', '0F A9', ''),
  instruction('50 +r', 'push Zv', 'default64'),
  instruction('58 +r', 'pop Zv', 'default64'),
  instruction('68', 'push Iz', 'default64'),
  instruction('6A', 'push Ibs', 'default64'),
  instruction('FF /6', 'push Ev', 'default64'),
  instruction('8F /0', 'pop Ev', 'default64'),
  instruction('60', 'pusha', 'no64'),
  instruction('61', 'popa', 'no64'),
  instruction('9C', 'pushf', 'default64'),
  instruction('9D', 'popf', 'w=oszapcditn end default64'),
  instruction('C8', 'enter Iw,Ib', 'default64'),
  instruction('C9', 'leave', 'default64'),
];

const INTEGER: readonly Instruction[] = [
  ...ARITHMETIC.flatMap(arithmetic),
  ...SHIFTS.flatMap(shift),
  instruction('40 +r', 'inc Zv', 'w=oszap no64'),
  instruction('48 +r', 'dec Zv', 'w=oszap no64'),
  instruction('FE /0', 'inc Eb', 'w=oszap lock'),
  instruction('FE /1', 'dec Eb', 'w=oszap lock'),
  instruction('FF /0', 'inc Ev', 'w=oszap lock'),
  instruction('FF /1', 'dec Ev', 'w=oszap lock'),
  instruction('84 /r', 'test Eb,Gb', 'w=oszpc u=a'),
  instruction('85 /r', 'test Ev,Gv', 'w=oszpc u=a'),
  instruction('A8', 'test AL,Ib', 'w=oszpc u=a'),
  instruction('A9', 'test rAX,Iz', 'w=oszpc u=a'),
  instruction('F6 /0', 'test Eb,Ib', 'w=oszpc u=a'),
  instruction('F6 /1', 'test Eb,Ib', 'w=oszpc u=a'),
  instruction('F7 /0', 'test Ev,Iz', 'w=oszpc u=a'),
  instruction('F7 /1', 'test Ev,Iz', 'w=oszpc u=a'),
  instruction('F6 /2', 'not Eb', 'lock'),
  instruction('F7 /2', 'not Ev', 'lock'),
  instruction('F6 /3', 'neg Eb', 'w=oszapc lock'),
  instruction('F7 /3', 'neg Ev', 'w=oszapc lock'),
  instruction('F6 /4', 'mul Eb', 'w=oc u=szap'),
  instruction('F7 /4', 'mul Ev', 'w=oc u=szap'),
  instruction('F6 /5', 'imul Eb', 'w=oc u=szap handler=imul1'),
  instruction('F7 /5', 'imul Ev', 'w=oc u=szap handler=imul1'),
  instruction('F6 /6', 'div Eb', 'u=oszapc'),
  instruction('F7 /6', 'div Ev', 'u=oszapc'),
  instruction('F6 /7', 'idiv Eb', 'u=oszapc'),
  instruction('F7 /7', 'idiv Ev', 'u=oszapc'),
  instruction('0F AF /r', 'imul Gv,Ev', 'w=oc u=szap'),
  instruction('69 /r', 'imul Gv,Ev,Iz', 'w=oc u=szap'),
  instruction('6B /r', 'imul Gv,Ev,Ibs', 'w=oc u=szap'),
  instruction('98', 'cbw', ''),
  instruction('99', 'cwd', ''),
  instruction('27', 'daa', 'r=ac w=szapc u=o no64'),
  instruction('2F', 'das', 'r=ac w=szapc u=o no64'),
  instruction('37', 'aaa', 'r=a w=ac u=oszp no64'),
  instruction('3F', 'aas', 'r=a w=ac u=oszp no64'),
  instruction('D4', 'aam Ib', 'w=szp u=oac no64'),
  instruction('D5', 'aad Ib', 'w=szp u=oac no64'),
  instruction('D6', 'salc', 'r=c no64'),
  instruction('0F A4 /r', 'shld Ev,Gv,Ib', 'w=oszpc u=a'),
  instruction('0F A5 /r', 'shld Ev,Gv,CL', 'w=oszpc u=a'),
  instruction('0F AC /r', 'shrd Ev,Gv,Ib', 'w=oszpc u=a'),
  instruction('0F AD /r', 'shrd Ev,Gv,CL', 'w=oszpc u=a'),
  ...bitTest('bt', 'A3', 4),
  ...bitTest('bts', 'AB', 5),
  ...bitTest('btr', 'B3', 6),
  ...bitTest('btc', 'BB', 7),
  instruction('0F BC /r', 'bsf Gv,Ev', 'w=z u=osapc'),
  instruction('0F BD /r', 'bsr Gv,Ev', 'w=z u=osapc'),
  instruction('0F C0 /r', 'xadd Eb,Gb', 'w=oszapc lock'),
  instruction('0F C1 /r', 'xadd Ev,Gv', 'w=oszapc lock'),
  instruction('0F B0 /r', 'cmpxchg Eb,Gb', 'w=oszapc lock'),
  instruction('0F B1 /r', 'cmpxchg Ev,Gv', 'w=oszapc lock'),
  instruction('0F C7 /1', 'cmpxchg8b Mq', 'w=z lock'),
];

const FLAGS: readonly Instruction[] = [
  instruction('F5', 'cmc', 'r=c w=c'),
  instruction('F8', 'clc', 'w=c'),
  instruction('F9', 'stc', 'w=c'),
  instruction('FA', 'cli', 'w=i'),
  instruction('FB', 'sti', 'w=i end'),
  instruction('FC', 'cld', 'w=d'),
  instruction('FD', 'std', 'w=d'),
  instruction('9E', 'sahf', 'w=szapc'),
  instruction('9F', 'lahf', 'r=szapc'),
];

const STRINGS: readonly Instruction[] = [
  ...string(0xa4, 'movs', (w) => `Y${w},X${w}`, 'r=d rep'),
  ...string(0xa6, 'cmps', (w) => `X${w},Y${w}`, 'r=d w=oszapc repz'),
  ...string(0xaa, 'stos', (w) => `Y${w},${w === 'b' ? 'AL' : 'rAX'}`, 'r=d rep'),
  ...string(0xac, 'lods', (w) => `${w === 'b' ? 'AL' : 'rAX'},X${w}`, 'r=d rep'),
  ...string(0xae, 'scas', (w) => `${w === 'b' ? 'AL' : 'rAX'},Y${w}`, 'r=d w=oszapc repz'),
  ...string(0x6c, 'ins', (w) => `Y${w},DX`, 'r=d rep end'),
  ...string(0x6e, 'outs', (w) => `DX,X${w}`, 'r=d rep end'),
];

const TRANSFERS: readonly Instruction[] = [
  ...CONDITIONS.flatMap(conditional),
  instruction('EB', 'jmp Jb', 'end default64'),
  instruction('E9', 'jmp Jz', 'end default64'),
  instruction('FF /4', 'jmp Ev', 'end default64 handler=jmp_indirect'),
  instruction('EA', 'jmpf Ap', 'end no64'),
  instruction('FF /5', 'jmpf Mp', 'end'),
  instruction('E8', 'call Jz', 'end default64'),
  instruction('FF /2', 'call Ev', 'end default64 handler=call_indirect'),
  instruction('9A', 'callf Ap', 'end no64'),
  instruction('FF /3', 'callf Mp', 'end'),
  instruction('C3', 'ret', 'end default64'),
  instruction('C2', 'ret Iw', 'end default64'),
  instruction('CB', 'retf', 'end'),
  instruction('CA', 'retf Iw', 'end'),
  instruction('E0', 'loopne Jb', 'r=z end default64'),
  instruction('E1', 'loope Jb', 'r=z end default64'),
  instruction('E2', 'loop Jb', 'end default64'),
  instruction('E3', 'jcxz Jb', 'end default64'),
  instruction('CC', 'int3', 'end'),
  instruction('CD', 'int Ib', 'end'),
  instruction('CE', 'into', 'r=o end no64'),
  instruction('F1', 'icebp', 'end'),
  instruction('CF', 'iret', 'w=oszapcditn end'),
  instruction('62 /r', 'bound Gv,Ma', 'no64'),
];

const SYSTEM: readonly Instruction[] = [
  instruction('E4', 'in AL,Ib', 'end handler=port_in'),
  instruction('E5', 'in rAX,Ib', 'end handler=port_in'),
  instruction('E6', 'out Ib,AL', 'end handler=port_out'),
  instruction('E7', 'out Ib,rAX', 'end handler=port_out'),
  instruction('EC', 'in AL,DX', 'end handler=port_in'),
  instruction('ED', 'in rAX,DX', 'end handler=port_in'),
  instruction('EE', 'out DX,AL', 'end handler=port_out'),
  instruction('EF', 'out DX,rAX', 'end handler=port_out'),
  instruction('F4', 'hlt', 'privileged end'),
  instruction('0F 00 /0', 'sldt Ev', 'protected'),
  instruction('0F 00 /1', 'str Ev', 'protected'),
  instruction('0F 00 /2', 'lldt Ew', 'protected privileged end'),
  instruction('0F 00 /3', 'ltr Ew', 'protected privileged end'),
  instruction('0F 00 /4', 'verr Ew', 'w=z protected'),
  instruction('0F 00 /5', 'verw Ew', 'w=z protected'),
  instruction('0F 01 /0', 'sgdt Ms', ''),
  instruction('0F 01 /1', 'sidt Ms', ''),
  instruction('0F 01 /2', 'lgdt Ms', 'privileged end'),
  instruction('0F 01 /3', 'lidt Ms', 'privileged end'),
  instruction('0F 01 /4', 'smsw Ev', ''),
  instruction('0F 01 /6', 'lmsw Ew', 'privileged end'),
  instruction('0F 01 /7', 'invlpg M', 'privileged end'),
  instruction('0F 02 /r', 'lar Gv,Ew', 'w=z protected'),
  instruction('0F 03 /r', 'lsl Gv,Ew', 'w=z protected'),
  instruction('63 /r', 'arpl Ew,Gw', 'w=z protected no64'),
  instruction('0F 06', 'clts', 'privileged end'),
  instruction('0F 08', 'invd', 'privileged'),
  instruction('0F 09', 'wbinvd', 'privileged'),
  instruction('0F 0B', 'ud2', 'end handler=ud'),
  instruction('0F B9 /r', 'ud1 Gv,Ev', 'end handler=ud'),
  instruction('0F FF /r', 'ud0 Gv,Ev', 'end handler=ud'),
  instruction('0F 30', 'wrmsr', 'privileged end'),
  instruction('0F 32', 'rdmsr', 'privileged'),
  instruction('0F 31', 'rdtsc', 'end'),
  instruction('0F 33', 'rdpmc', ''),
  instruction('0F 34', 'sysenter', 'end'),
  instruction('0F 35', 'sysexit', 'end'),
  instruction('0F A2', 'cpuid', ''),
  instruction('0F AA', 'rsm', 'end'),
];

/** Every instruction that skep executes. The order has no meaning. */
export const INSTRUCTIONS: readonly Instruction[] = [
  ...MOVES,
  ...STACK,
  ...INTEGER,
  ...FLAGS,
  ...STRINGS,
  ...TRANSFERS,
  ...SYSTEM,
  ...X87_INSTRUCTIONS,
  ...MMX_INSTRUCTIONS,
  ...SSE_INSTRUCTIONS,
];
