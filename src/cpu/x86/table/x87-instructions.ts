import { instruction, type Instruction } from './instruction.ts';

/**
 * The x87 instructions (SDM volume 2, table A-7 on). A row with a memory operand is chosen by ModRM.reg, one without by
 * the whole ModRM byte, to whose low three bits `+i` adds a stack register. Handlers look at the opcode's low three bits
 * and at ModRM, which the decoder leaves in SELECTOR as the x87 opcode register has them.
 *
 * Names that Intel does not document (`fcom2`, `fstp8` …) are those of other processors' manuals for the encodings that
 * real ones decode like their neighbours.
 */
const ARITHMETIC: readonly string[] = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'];
/** With the destination in ST(i), subtraction and division are named the other way round. */
const REVERSED: readonly string[] = ['fadd', 'fmul', 'fcom2', 'fcomp3', 'fsubr', 'fsub', 'fdivr', 'fdiv'];
const POPPING: readonly string[] = ['faddp', 'fmulp', 'fcomp5', '', 'fsubrp', 'fsubp', 'fdivrp', 'fdivp'];

const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0');

const arithmetic = (_: string, number: number): Instruction[] => {
  const [direct = '', reversed = '', popping = ''] = [ARITHMETIC[number], REVERSED[number], POPPING[number]];
  const integer = direct.replace('f', 'fi');
  const register = hex(0xc0 + 8 * number);
  const how = 'handler=x87_arithmetic';
  return [
    instruction(`D8 /${number}`, `${direct} Md`, how),
    instruction(`D8 ${register}+i`, `${direct} ST0,STi`, how),
    instruction(`DA /${number}`, `${integer} Md`, how),
    instruction(`DC /${number}`, `${direct} Mq`, how),
    instruction(`DC ${register}+i`, `${reversed} STi,ST0`, how),
    instruction(`DE /${number}`, `${integer} Mw`, how),
    ...(popping === '' ? [] : [instruction(`DE ${register}+i`, `${popping} STi,ST0`, how)]),
  ];
};

/** One byte pair each: FCHS to FCOS and the constants. */
const PLAIN: readonly (readonly [encoding: string, name: string, handler: string])[] = [
  ['D9 D0', 'fnop', 'fnop'],
  ['D9 E0', 'fchs', 'x87_sign'],
  ['D9 E1', 'fabs', 'x87_sign'],
  ['D9 E4', 'ftst', 'ftst'],
  ['D9 E5', 'fxam', 'fxam'],
  ['D9 E8', 'fld1', 'x87_constant'],
  ['D9 E9', 'fldl2t', 'x87_constant'],
  ['D9 EA', 'fldl2e', 'x87_constant'],
  ['D9 EB', 'fldpi', 'x87_constant'],
  ['D9 EC', 'fldlg2', 'x87_constant'],
  ['D9 ED', 'fldln2', 'x87_constant'],
  ['D9 EE', 'fldz', 'x87_constant'],
  ['D9 F0', 'f2xm1', 'f2xm1'],
  ['D9 F1', 'fyl2x', 'fyl2x'],
  ['D9 F2', 'fptan', 'fptan'],
  ['D9 F3', 'fpatan', 'fpatan'],
  ['D9 F4', 'fxtract', 'fxtract'],
  ['D9 F5', 'fprem1', 'fprem1'],
  ['D9 F6', 'fdecstp', 'x87_rotate'],
  ['D9 F7', 'fincstp', 'x87_rotate'],
  ['D9 F8', 'fprem', 'fprem'],
  ['D9 F9', 'fyl2xp1', 'fyl2xp1'],
  ['D9 FA', 'fsqrt', 'fsqrt'],
  ['D9 FB', 'fsincos', 'fsincos'],
  ['D9 FC', 'frndint', 'frndint'],
  ['D9 FD', 'fscale', 'fscale'],
  ['D9 FE', 'fsin', 'fsin'],
  ['D9 FF', 'fcos', 'fcos'],
  ['DA E9', 'fucompp', 'x87_compare'],
  ['DB E0', 'fneni', 'x87_nothing'],
  ['DB E1', 'fndisi', 'x87_nothing'],
  ['DB E2', 'fnclex', 'fnclex'],
  ['DB E3', 'fninit', 'fninit'],
  ['DB E4', 'fnsetpm', 'x87_nothing'],
  ['DE D9', 'fcompp', 'x87_compare'],
];

const STACK_REGISTER: readonly (readonly [encoding: string, syntax: string, effects: string])[] = [
  ['D9 C0+i', 'fld STi', 'handler=x87_load_register'],
  ['D9 C8+i', 'fxch STi', ''],
  ['D9 D8+i', 'fstp1 STi', 'handler=x87_store_register'],
  ['DA C0+i', 'fcmovb ST0,STi', 'r=c handler=fcmov'],
  ['DA C8+i', 'fcmove ST0,STi', 'r=z handler=fcmov'],
  ['DA D0+i', 'fcmovbe ST0,STi', 'r=cz handler=fcmov'],
  ['DA D8+i', 'fcmovu ST0,STi', 'r=p handler=fcmov'],
  ['DB C0+i', 'fcmovnb ST0,STi', 'r=c handler=fcmov'],
  ['DB C8+i', 'fcmovne ST0,STi', 'r=z handler=fcmov'],
  ['DB D0+i', 'fcmovnbe ST0,STi', 'r=cz handler=fcmov'],
  ['DB D8+i', 'fcmovnu ST0,STi', 'r=p handler=fcmov'],
  ['DB E8+i', 'fucomi ST0,STi', 'w=oszapc handler=x87_compare_flags'],
  ['DB F0+i', 'fcomi ST0,STi', 'w=oszapc handler=x87_compare_flags'],
  ['DD C0+i', 'ffree STi', ''],
  ['DD C8+i', 'fxch4 STi', 'handler=fxch'],
  ['DD D0+i', 'fst STi', 'handler=x87_store_register'],
  ['DD D8+i', 'fstp STi', 'handler=x87_store_register'],
  ['DD E0+i', 'fucom STi', 'handler=x87_compare'],
  ['DD E8+i', 'fucomp STi', 'handler=x87_compare'],
  ['DF C0+i', 'ffreep STi', 'handler=ffree'],
  ['DF C8+i', 'fxch7 STi', 'handler=fxch'],
  ['DF D0+i', 'fstp8 STi', 'handler=x87_store_register'],
  ['DF D8+i', 'fstp9 STi', 'handler=x87_store_register'],
  ['DF E8+i', 'fucomip ST0,STi', 'w=oszapc handler=x87_compare_flags'],
  ['DF F0+i', 'fcomip ST0,STi', 'w=oszapc handler=x87_compare_flags'],
];

const MEMORY: readonly (readonly [encoding: string, syntax: string, handler: string])[] = [
  ['D9 /0', 'fld Md', 'x87_load'],
  ['D9 /2', 'fst Md', 'x87_store'],
  ['D9 /3', 'fstp Md', 'x87_store'],
  ['D9 /4', 'fldenv M', 'fldenv'],
  ['D9 /5', 'fldcw Mw', 'fldcw'],
  ['D9 /6', 'fnstenv M', 'fnstenv'],
  ['D9 /7', 'fnstcw Mw', 'fnstcw'],
  ['DB /0', 'fild Md', 'x87_load'],
  ['DB /1', 'fisttp Md', 'x87_store_integer'],
  ['DB /2', 'fist Md', 'x87_store_integer'],
  ['DB /3', 'fistp Md', 'x87_store_integer'],
  ['DB /5', 'fld Mt', 'x87_load'],
  ['DB /7', 'fstp Mt', 'x87_store'],
  ['DD /0', 'fld Mq', 'x87_load'],
  ['DD /1', 'fisttp Mq', 'x87_store_integer'],
  ['DD /2', 'fst Mq', 'x87_store'],
  ['DD /3', 'fstp Mq', 'x87_store'],
  ['DD /4', 'frstor M', 'frstor'],
  ['DD /6', 'fnsave M', 'fnsave'],
  ['DD /7', 'fnstsw Mw', 'fnstsw'],
  ['DF /0', 'fild Mw', 'x87_load'],
  ['DF /1', 'fisttp Mw', 'x87_store_integer'],
  ['DF /2', 'fist Mw', 'x87_store_integer'],
  ['DF /3', 'fistp Mw', 'x87_store_integer'],
  ['DF /4', 'fbld Mt', 'x87_load'],
  ['DF /5', 'fild Mq', 'x87_load'],
  ['DF /6', 'fbstp Mt', 'fbstp'],
  ['DF /7', 'fistp Mq', 'x87_store_integer'],
];

export const X87_INSTRUCTIONS: readonly Instruction[] = [
  instruction('9B', 'wait', ''),
  ...ARITHMETIC.flatMap(arithmetic),
  ...PLAIN.map(([encoding, name, handler]) => instruction(encoding, name, `handler=${handler}`)),
  ...STACK_REGISTER.map(([encoding, syntax, effects]) => instruction(encoding, syntax, effects)),
  ...MEMORY.map(([encoding, syntax, handler]) => instruction(encoding, syntax, `handler=${handler}`)),
  instruction('DF E0', 'fnstsw AX', 'handler=fnstsw'),
];
