// Turns the layout and the opcode table into AssemblyScript sources: the layout's constants, the decoder's data, the
// main loop and the switch over the handlers.
import { FUSED_OPERATIONS, HOT_BRANCHES, HOT_OPERATIONS, HOT_TRANSFERS, LEAVE } from './hot-operations.mjs';
import { shapeOf, VECTOR_IMPORTS, vectorCase, vectorFunctions } from './vector-operations.mjs';

/** `{ A: 1 }` as lines `export const A: u32 = 0x1;`. */
function constants(values) {
  return Object.entries(values).map(([name, value]) => `export const ${name}: u32 = 0x${value.toString(16)};`);
}

const filled = (length, value) => Array.from({ length }, () => value);

const prefixed = (prefix, values, offset = 0) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}_${name}`, value + offset]));

const numbered = (prefix, names, step = 1) =>
  Object.fromEntries(names.map((name, index) => [`${prefix}_${name.toUpperCase()}`, index * step]));

/** Every constant of table/layout.ts; FIELDs as absolute addresses. */
function layoutSource(layout) {
  const plain = Object.entries(layout).filter(([, value]) => typeof value === 'number');
  return [
    '// Generated from table/layout.ts.',
    ...constants({
      ...Object.fromEntries(plain),
      ...prefixed('SEGMENT', layout.SEGMENT),
      ...prefixed('STATE', layout.FIELD, layout.STATE),
      ...prefixed('MODE', layout.MODE),
      ...prefixed('SHADOW', layout.SHADOW),
      ...prefixed('DEBUG_ARMED', layout.DEBUG_ARMED),
      ...prefixed('EXIT', layout.EXIT),
      ...prefixed('UOP', layout.UOP),
      ...prefixed('UOP_TRAIT', layout.UOP_TRAIT),
      ...prefixed('TLB_ENTRY', layout.TLB_ENTRY),
      ...prefixed('TLB_FLAG', layout.TLB_FLAG),
      ...numbered('REG', layout.REGISTERS, 8),
      ...numbered('SEG', layout.SEGMENTS),
      REG_ZERO: layout.FIELD.ZERO,
    }),
    '',
  ].join('\n');
}

// ---------------------------------------------------------------------------------------------------------------------
// Rows

/** What the decoder is told about a row. Its sources are the row's operands and traits; nothing here names an opcode. */
export const ROW_FLAG = {
  MODRM: 0x1, // a ModRM byte follows the opcode
  MEMORY_ONLY: 0x2, // #UD when ModRM names a register
  REGISTER_ONLY: 0x4, // ModRM.mod is ignored
  REG_BYTE: 0x8, // the register operand is one byte wide
  RM_BYTE: 0x10,
  REG_PLAIN: 0x20, // ModRM.reg is a segment, control or debug register
  OPCODE_REGISTER: 0x40, // the low three bits of the opcode name the first operand
  SWAP: 0x80, // as registers only, the operands change places, so that `add G,E` is `add E,G`
  LOCK: 0x100,
  PROTECTED: 0x200,
  PRIVILEGED: 0x400,
  END: 0x800, // nothing is decoded after it
  NO64: 0x1000,
  DEFAULT64: 0x2000,
  REG_ZERO: 0x4000, // the register operand is the accumulator
  FORCE64: 0x8000,
  REG_LOW: 0x1_0000, // ModRM.reg names one of eight, whatever REX.R is
  RM_LOW: 0x2_0000, // and ModRM.rm, whatever REX.B is
  VVVV: 0x4_0000, // VEX.vvvv names a register, whose offset goes into SELECTOR
};
export const ROW_SIZE_RULE = { BYTE: 0, OPERAND: 1, WORD: 2, DOUBLE: 3, QUAD: 4, OPERAND_TO_32: 5, DOUBLE_OR_QUAD: 6 };
export const ROW_IMMEDIATE = {
  NONE: 0,
  BYTE: 1,
  SIGNED_BYTE: 2,
  WORD: 3,
  OPERAND_TO_32: 4,
  OPERAND: 5,
  FAR: 6,
  OFFSET: 7, // an absolute address of the address size: the displacement of a memory operand
  ENTER: 8,
  ONE: 9,
};
/** A row in memory: op numbers [size index][kind] of 2 bytes, then the rest. */
export const ROW = { OPS: 0, FLAGS_32: 40, SIZE_RULE_8: 44, IMMEDIATE_8: 45, SELECTOR_8: 46, REG_8: 47, BYTES: 48 };
/**
 * Kinds of operand: no memory, and the stack is not flat; memory; no memory, on a flat 32-bit stack; no memory in 64-bit
 * mode; memory at a 64-bit absolute offset.
 */
const KINDS = ['register', 'memory', 'stack', 'wide', 'offset'];

const WIDTH_RULE = {
  b: 'BYTE',
  v: 'OPERAND',
  w: 'WORD',
  d: 'DOUBLE',
  q: 'QUAD',
  z: 'OPERAND_TO_32',
  y: 'DOUBLE_OR_QUAD',
};
const SEGMENT_NAMES = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];

/** The operand size is that of the first operand which has one. */
function sizeRule({ operands }) {
  for (const operand of operands) {
    if (operand === 'AL') return 'BYTE';
    if (operand === 'rAX') return operands.some((other) => /^Ib$|DX/.test(other)) ? 'OPERAND_TO_32' : 'OPERAND';
    if (/^[IJSCD1PQNVWU]|^Gd$/.test(operand)) continue;
    const rule = WIDTH_RULE[operand.slice(1)];
    if (rule !== undefined) return rule;
  }
  return 'OPERAND';
}

function immediateRule({ operands }) {
  if (operands.join() === 'Iw,Ib') return 'ENTER';
  for (const operand of operands) {
    if (operand === '1') return 'ONE';
    if (operand.startsWith('O')) return 'OFFSET';
    if (operand === 'Ap') return 'FAR';
    if (operand === 'Jb' || operand === 'Ibs') return 'SIGNED_BYTE';
    if (operand === 'Jz' || operand === 'Iz') return 'OPERAND_TO_32';
    if (operand === 'Ib') return 'BYTE';
    if (operand === 'Iw') return 'WORD';
    if (operand === 'Iv') return 'OPERAND';
  }
  return 'NONE';
}

const isModrm = ({ encoding }) =>
  /\/[r0-7]/.test(encoding) ||
  (fixedModrm(encoding.split(' ').slice(1)) !== undefined && !/^0F [C-F].$|\+r/.test(encoding));

function rowFlags(row, hot) {
  const { operands, traits, handler } = row;
  const register = operands.find((operand) => /^[GSCDZVP][a-z]/.test(operand));
  const rm = operands.find((operand) => /^[EMRWUQN][a-z]?/.test(operand));
  const isVex = operands.some((operand) => operand.startsWith('B'));
  const flags = {
    MODRM: isModrm(row),
    MEMORY_ONLY: rm?.startsWith('M'),
    REGISTER_ONLY: rm?.startsWith('R'),
    REG_BYTE: register?.endsWith('b'),
    RM_BYTE: rm?.endsWith('b') || register === 'Zb',
    REG_PLAIN: /^[SCD]/.test(register ?? '') && !register.startsWith('Z'),
    OPCODE_REGISTER: register?.startsWith('Z'),
    SWAP: hot && /^G.,E.$/.test(operands.join()) && SWAPPED.has(handler),
    LOCK: traits.has('lock'),
    PROTECTED: traits.has('protected'),
    PRIVILEGED: traits.has('privileged'),
    END: traits.has('end') && !CONDITIONAL.has(handler),
    NO64: traits.has('no64'),
    DEFAULT64: traits.has('default64'),
    REG_ZERO: /^Z.,rAX$/.test(operands.join()),
    FORCE64: traits.has('force64'),
    REG_LOW: /^[SP]/.test(register ?? ''),
    RM_LOW: /^[QN]/.test(rm ?? ''),
    VVVV: isVex,
  };
  return Object.entries(ROW_FLAG).reduce((bits, [name, bit]) => (flags[name] ? bits | bit : bits), 0);
}

/** Branches after which the block goes on. */
const CONDITIONAL = new Set(['jcc', 'loop']);

/** The condition of Jcc, SETcc, CMOVcc; the segment of LES and the like; 1 of a MOV to an absolute offset or an XMM register. */
function selector({ mnemonic, handler, operands }, conditions) {
  if (operands[0]?.startsWith('O')) return 1;
  if (handler === 'load_far_pointer') return SEGMENT_NAMES.indexOf(mnemonic.slice(1).toUpperCase());
  if (operands.some((operand) => /^[VWU]/.test(operand))) return 1;
  const prefix = { jcc: 'j', setcc: 'set', cmovcc: 'cmov' }[handler];
  return prefix === undefined ? 0 : conditions.findIndex(({ name }) => prefix + name === mnemonic);
}

/** Operand kinds of a row as in hot-operations.mjs, when its E operand is a register or when it is memory. */
function form({ operands }, kind) {
  const letters = operands.map((operand) => {
    if (/^[EMR][a-z]?$/.test(operand)) return kind === 'memory' ? 'M' : operand === 'M' ? '' : 'R';
    if (operand.startsWith('G')) return 'G';
    if (operand.startsWith('Z')) return 'R';
    if (operand.startsWith('O')) return 'M';
    if (operand === 'AL' || operand === 'rAX') return 'A';
    return { I: 'I', 1: 'I', J: 'J' }[operand[0]] ?? 'X';
  });
  return letters.join('').replace(/^AI$/, 'RI').replace('AM', 'GM').replace('MA', 'MG').replace(/^A$/, 'X');
}

// ---------------------------------------------------------------------------------------------------------------------
// Operation numbers

/** `popcnt` is the name of an instruction of WebAssembly. */
const functionName = (handler) =>
  handler === 'popcnt' ? 'populationCount' : handler.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

/** Handlers that set RIP and nothing else that decoding depends on. */
const NEAR = ['jmp_indirect', 'call', 'call_indirect', 'ret', 'loope', 'loopne', 'jcxz'];

/** Handlers all of whose rows have hot forms, at least while there is no 64-bit mode. */
const ALWAYS_HOT = new Set('mov add or adc sbb and sub xor cmp test inc dec movzx movsx nop jcc jmp loop'.split(' '));

/** What no row names: MOV between the accumulator and a 64-bit absolute offset. */
const EXTRA_HANDLERS = ['mov_offset'];

/** The numbers of all operations: special, branches, hot, return, then handlers, those that end a block last. */
class Operations {
  constructor(rows) {
    const ending = (name) => rows.some((row) => row.handler === name && row.traits.has('end'));
    const handlers = [...new Set([...rows.map(({ handler }) => handler), ...EXTRA_HANDLERS])];
    this.plain = handlers.filter((name) => !ending(name));
    this.ending = [...NEAR, ...handlers.filter((name) => ending(name) && !NEAR.includes(name))];
    let next = 0;
    const take = (count) => (next += count) - count;
    this.resync = take(1);
    this.next = take(1);
    this.branch = take(HOT_BRANCHES.length);
    this.transfer = take(HOT_TRANSFERS.length);
    this.firstOther = next;
    this.raise = take(1);
    this.hot = take(HOT_OPERATIONS.length);
    this.fused = take(FUSED_OPERATIONS.length);
    this.firstHandler = next;
    this.firstPlain = take(this.plain.length);
    this.firstEnding = take(this.ending.length);
    this.end = next;
  }

  handler(name) {
    if (this.plain.includes(name)) return this.firstPlain + this.plain.indexOf(name);
    return this.firstEnding + this.ending.indexOf(name);
  }
}

/** The op number of a row for an operand size and kind of operand. */
function operation(row, size, kind, operations, conditions) {
  const { handler } = row;
  if (kind === 'offset' && row.operands.some((operand) => operand.startsWith('O')))
    return operations.handler('mov_offset');
  const operands = form(row, kind === 'offset' ? 'memory' : kind);
  const condition = handler === 'jcc' ? selector(row, conditions) : undefined;
  const matches = (hot) =>
    hot.handler === handler &&
    (hot.condition === undefined || hot.condition === condition) &&
    (hot.size === undefined || hot.size === size) &&
    (hot.source === undefined || row.operands[1] === `E${hot.source}`) &&
    (hot.form === operands || (kind !== 'memory' && ROW_SWAPPED[operands] === hot.form && SWAPPED.has(handler))) &&
    (!hot.stack || kind === (size === 8 ? 'wide' : 'stack'));
  const branch = HOT_BRANCHES.findIndex(matches);
  if (branch >= 0) return operations.branch + branch;
  const hot = HOT_OPERATIONS.findIndex(matches);
  if (hot >= 0) return operations.hot + hot;
  const transfer = HOT_TRANSFERS.findIndex(matches);
  return transfer >= 0 ? operations.transfer + transfer : operations.handler(handler);
}
const ROW_SWAPPED = { GR: 'RG' };
/** Handlers with both `E,G` and `G,E` rows. */
const SWAPPED = new Set(['mov', 'add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp']);

// ---------------------------------------------------------------------------------------------------------------------
// Decoder data

/** Prefixes by the number that the decoder gives them; NP is none of the others. */
const MANDATORY = ['NP', '66', 'F3', 'F2'];
const MAPS = ['', '0F', '0F 38', '0F 3A'];

/** A fixed ModRM byte, if the encoding has one: `D9 E0`, `D8 C0+i`. */
const fixedModrm = (words) => words.find((word) => /^[C-F][0-9A-F](\+i)?$/.test(word));

function parseEncoding({ encoding, operands, traits }) {
  const words = encoding.split(' ');
  const vex = words[0] === 'VEX' && words.shift() !== undefined;
  const mandatory = words.length > 1 && MANDATORY.includes(words[0]) ? MANDATORY.indexOf(words.shift()) : undefined;
  const prefix =
    words[0] === '0F' ? words.splice(0, /^3[8A]$/.test(words[1]) && words.length > 2 ? 2 : 1).join(' ') : '';
  const opcode = Number.parseInt(words.shift(), 16);
  const digit = words.find((word) => /^\/[0-7]$/.test(word));
  const modrm = fixedModrm(words);
  return {
    vex,
    mandatory,
    map: MAPS.indexOf(prefix),
    opcode,
    group: digit && Number(digit[1]),
    register: words.includes('+r'),
    modrm: modrm && { first: Number.parseInt(modrm, 16), count: modrm.endsWith('+i') ? 8 : 1 },
    memoryOnly: operands.some((operand) => operand.startsWith('M')),
    registerOnly: traits.has('register') || operands.some((operand) => /^[UN]/.test(operand)),
  };
}

/**
 * Entries of the opcode map: 0 is undefined; the top two bits say what the rest indexes. A FORM has eight entries for
 * memory operands, by ModRM.reg, then 64 for the ModRM bytes from C0 on.
 */
export const ENTRY = { ROW: 0x0000, GROUP: 0x4000, MANDATORY: 0x8000, FORM: 0xc000, KIND: 0xc000, INDEX: 0x3fff };

class OpcodeMap {
  opcodes = filled(256 * MAPS.length, 0);

  /** `parsed` are the rows of this map; all maps share one list of subtables. */
  constructor(parsed, subtables) {
    this.subtables = subtables;
    for (let at = 0; at < this.opcodes.length; at++) {
      const here = parsed.filter(({ map, opcode, register }) =>
        register ? at >> 3 === (map * 256 + opcode) >> 3 : at === map * 256 + opcode,
      );
      // An exact opcode (90) replaces its part of a range (90 +r).
      const exact = here.filter(({ register }) => !register);
      this.opcodes[at] = this.#byPrefix(exact.length > 0 ? exact : here);
    }
  }

  #table(kind, entries) {
    const index = this.subtables.length;
    this.subtables.push(...entries);
    return kind | index;
  }

  #byPrefix(rows) {
    if (rows.every(({ mandatory }) => mandatory === undefined)) return this.#byModrm(rows);
    const entries = MANDATORY.map((_, number) => {
      const exact = rows.filter(({ mandatory }) => mandatory === number);
      // Where a row with a prefix is one of a group, the others of the group are still there.
      const others = rows.filter(
        ({ mandatory, group }) =>
          mandatory === undefined &&
          exact.every((row) => row.group !== undefined && group !== undefined && row.group !== group),
      );
      return this.#byModrm([...exact, ...others]);
    });
    return this.#table(ENTRY.MANDATORY, entries);
  }

  #byModrm(rows) {
    if (rows.length === 0) return 0;
    if (
      rows.some(({ modrm, registerOnly }) => modrm || registerOnly) ||
      rows.filter(({ group }) => group === undefined).length > 1
    )
      return this.#byForm(rows);
    if (rows.every(({ group }) => group === undefined)) return rows.at(-1).id;
    const entries = Array.from({ length: 8 }, (_, number) => rows.findLast(({ group }) => group === number)?.id ?? 0);
    return this.#table(ENTRY.GROUP, entries);
  }

  #byForm(rows) {
    const matches = (number, rest) =>
      rows.find((row) => !row.modrm && rest(row) && (row.group ?? number) === number)?.id ?? 0;
    const memory = Array.from({ length: 8 }, (_, number) => matches(number, ({ registerOnly }) => !registerOnly));
    const registers = Array.from({ length: 64 }, (_, low) => {
      const whole = rows.find(
        ({ modrm }) => modrm && 0xc0 + low >= modrm.first && 0xc0 + low < modrm.first + modrm.count,
      );
      return whole?.id ?? matches(low >> 3, ({ memoryOnly }) => !memoryOnly);
    });
    return this.#table(ENTRY.FORM, [...memory, ...registers]);
  }
}

function rowBytes(row, operations, conditions) {
  const bytes = new DataView(new ArrayBuffer(ROW.BYTES));
  const hot = HOT_OPERATIONS.some(({ handler }) => handler === row.handler);
  [1, 2, 4, 8].forEach((size, sizeIndex) =>
    KINDS.forEach((kind, kindIndex) => {
      const at = ROW.OPS + (sizeIndex * KINDS.length + kindIndex) * 2;
      bytes.setUint16(at, operation(row, size, kind, operations, conditions), true);
    }),
  );
  bytes.setUint32(ROW.FLAGS_32, rowFlags(row, hot), true);
  bytes.setUint8(ROW.SIZE_RULE_8, ROW_SIZE_RULE[sizeRule(row)]);
  bytes.setUint8(ROW.IMMEDIATE_8, ROW_IMMEDIATE[immediateRule(row)]);
  bytes.setUint8(ROW.SELECTOR_8, Math.max(0, selector(row, conditions)));
  bytes.setUint8(ROW.REG_8, Math.max(0, SEGMENT_NAMES.indexOf(row.operands[0])));
  return [...new Uint8Array(bytes.buffer)];
}

const data = (type, values) => `memory.data<${type}>([${values.join(',')}])`;

/** For each op below the handlers and each condition: the op that does both, or 0. */
function fusions(operations) {
  const table = filled(operations.firstHandler * 16, 0);
  FUSED_OPERATIONS.forEach(({ handler, size, form: operands, condition }, index) => {
    const first = HOT_OPERATIONS.findIndex(
      (hot) => hot.handler === handler && hot.size === size && hot.form === operands,
    );
    table[(operations.hot + first) * 16 + condition] = operations.fused + index;
  });
  return table;
}

function decoderSource(rows, operations, conditions) {
  const parsed = rows.map((row, index) => ({ ...parseEncoding(row), traits: row.traits, id: index + 1 }));
  const subtables = [];
  const map = (test) => new OpcodeMap(parsed.filter(test), subtables).opcodes;
  const opcodes = [
    ...map(({ vex, traits }) => !vex && !traits.has('only64')),
    ...map(({ vex, traits }) => !vex && !traits.has('no64')),
    ...map(({ vex }) => vex),
  ];
  const blank = filled(ROW.BYTES, 0);
  return [
    '// Generated from table/instructions.ts.',
    ...constants({
      ...prefixed('ENTRY', ENTRY),
      ...prefixed('ROW', ROW),
      ...prefixed('ROW_FLAG', ROW_FLAG),
      ...prefixed('ROW_SIZE', ROW_SIZE_RULE),
      ...prefixed('ROW_IMMEDIATE', ROW_IMMEDIATE),
      OP_RESYNC: operations.resync,
      OP_NEXT: operations.next,
      OP_FIRST_OTHER: operations.firstOther,
      OP_RAISE: operations.raise,
      OP_FIRST_TRANSFER: operations.transfer,
      OP_CALL_HOT: operations.branch + HOT_BRANCHES.findIndex(({ handler }) => handler === 'call'),
      OP_CALL_LAST: operations.branch + HOT_BRANCHES.findLastIndex(({ handler }) => handler === 'call'),
      OPCODES_64: 256 * MAPS.length,
      OPCODES_VEX: 512 * MAPS.length,
      ROW_KINDS: KINDS.length,
      ROW_KIND_MEMORY: KINDS.indexOf('memory'),
      ROW_KIND_STACK: KINDS.indexOf('stack'),
      ROW_KIND_WIDE: KINDS.indexOf('wide'),
      ROW_KIND_OFFSET: KINDS.indexOf('offset'),
      OP_FIRST_JCC: operations.branch,
      OP_LOOP_HOT: operations.branch + HOT_BRANCHES.findIndex(({ handler }) => handler === 'loop'),
      OP_FIRST_HANDLER: operations.firstHandler,
      OP_FIRST_ENDING: operations.firstEnding,
      OP_FIRST_FAR: operations.firstEnding + NEAR.length,
      ...Object.fromEntries(
        rows
          .filter(({ vector }) => !vector)
          .map(({ handler }) => [`HANDLER_${handler.toUpperCase()}`, operations.handler(handler)]),
      ),
    }),
    `export const FUSIONS: usize = ${data('u16', fusions(operations))};`,
    `export const OPCODES: usize = ${data('u16', opcodes)};`,
    `export const SUBTABLES: usize = ${data('u16', subtables)};`,
    `export const ROWS: usize = ${data('u8', [...blank, ...rows.flatMap((row) => rowBytes(row, operations, conditions))])};`,
    '',
  ].join('\n');
}

// ---------------------------------------------------------------------------------------------------------------------
// Handlers and the main loop

/** Finds the functions that the hand-written files export with the signature of a handler. */
function findHandlers(sources) {
  const found = new Map();
  for (const { file, text } of sources) {
    const name = file.replace(/^.*\//, '').replace(/\.ts$/, '');
    for (const [, handler] of text.matchAll(/export function (\w+)\(u: usize\): void/g)) found.set(handler, name);
  }
  return found;
}

/** Rows whose handler is a function on vectors have a case for each shape of their operands. */
const vectorHandler = ({ handler, operands }) => `${handler}__${shapeOf({ operands })}`;

function handlersSource(operations, sources, rows, functions) {
  const found = findHandlers(sources);
  const vectors = new Map(rows.filter(({ vector }) => vector).map((row) => [row.handler, row]));
  const vectorNames = [...new Set([...vectors.values()].map(({ vector }) => vector))];
  const all = [...operations.plain, ...operations.ending].filter(
    (handler) => !ALWAYS_HOT.has(handler) && !vectors.has(handler),
  );
  const wanted = all.map((handler) => ({ name: functionName(handler), op: operations.handler(handler) }));
  const missing = wanted.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  const present = wanted.filter(({ name }) => found.has(name));
  const shapes = Array.from(vectors, ([handler, row]) => ({ name: handler, op: operations.handler(handler), row }));
  const entry = ({ name, op }) =>
    `  store<u32>(TABLE + ${(op - operations.firstHandler) * 4}, load<u32>(changetype<usize>(${name}_)));`;
  const text = [
    '// Generated from table/instructions.ts and the handlers found in core/.',
    ...present.map(({ name }) => `import { ${name} as ${name}_ } from '../${found.get(name)}';`),
    ...vectorNames.map((name) => `import { ${name} as ${name}_ } from '../${functions.get(name).from}';`),
    VECTOR_IMPORTS,
    "import { raise, VECTOR_UD } from '../fault';",
    '',
    '/**',
    ' * Handlers are called through a table: called by name each from one place, all of them would be inlined there, into',
    ' * one function whose frame takes longer to set up than most of them need.',
    ' */',
    `const TABLE: usize = memory.data(${(operations.end - operations.firstHandler) * 4}, 16);`,
    '',
    'function undefined_(u: usize): void {',
    '  raise(VECTOR_UD);',
    '}',
    '',
    ...shapes.map(
      ({ name, row }) =>
        `function ${name}_(u: usize): void ${vectorCase(row, functions.get(row.vector), `${row.vector}_`)}`,
    ),
    '',
    'export function initializeHandlers(): void {',
    `  for (let op = 0; op < ${operations.end - operations.firstHandler}; op++) {`,
    '    store<u32>(TABLE + (op << 2), load<u32>(changetype<usize>(undefined_)));',
    '  }',
    ...[...present, ...shapes].map(entry),
    '}',
    '',
    '/** Executes a uop by its handler. */',
    '// @ts-ignore: decorator',
    '@inline export function execute(u: usize, op: u32): void {',
    `  call_indirect<void>(load<u32>(TABLE + ((op - ${operations.firstHandler}) << 2)), u);`,
    '}',
    ...missing.map((name) => `// missing: ${name}`),
    '',
  ];
  return { text: text.join('\n'), missing };
}

const TYPES = { 1: 'u8', 2: 'u16', 4: 'u32', 8: 'u64' };

/** Whether an operation occurs in 64-bit code, or in other code. */
const occurs = ({ size, stack }, wide) => (wide ? !stack || size === 8 : size !== 8);

/** The cases of one of the two main loops. Where an operation does not occur, its number goes with the default. */
function loopCases(operations, wide) {
  const line = (number, comment, body) => `      case ${number}: { // ${comment}\n        ${body}\n      }`;
  const all = [
    ...HOT_BRANCHES.map((hot, index) => ({ ...hot, number: operations.branch + index })),
    ...HOT_OPERATIONS.map((hot, index) => ({ ...hot, number: operations.hot + index })),
    ...HOT_TRANSFERS.map((hot, index) => ({ ...hot, number: operations.transfer + index })),
    ...FUSED_OPERATIONS.map((hot, index) => ({ ...hot, number: operations.fused + index })),
  ];
  const address = wide ? 'u64' : 'u32';
  const cases = all
    .filter((hot) => occurs(hot, wide))
    .map(({ number, handler, form: operands, size, condition, body }) => {
      const text = body(TYPES[size], size).replaceAll('$A', address);
      return line(number, `${handler} ${operands} ${size ?? condition ?? ''}`.trim(), text);
    });
  const absent = all.filter((hot) => !occurs(hot, wide)).map(({ number }) => `      case ${number}:`);
  return [...cases, ...absent].join('\n');
}

const loopSource = (operations) => `// Generated from hot-operations.mjs.
import {
  add, or, adc, sbb, and, sub, xor, compare, test, inc, dec, shl, shr, sar, rol, ror, multiply, get, set, COUNT_MASK,
} from '../operation';
import { beginUpdate, endUpdate, flatAddress, loadFlat, loadOperand, storeFlat, storeOperand } from '../operand';
import { findJump } from '../jump-cache';
import { branchTarget, countDown, executeSlow, isElsewhere, leave, nextRip } from '../run';
import { carryFlag, condition, DF, overflowFlag, parityFlag, setSystemFlag, signFlag, zeroFlag } from '../flags';
import { fault, raiseError, VECTOR_GP } from '../fault';
import { ea, uopLink, uopOp, uopReg, uopRm, uopSegment, uopSelector } from '../uop';
import { isCanonical, reg32, reg8, retire, segmentLimit, setReg8, setRip } from '../state';
import {
  REG_RAX, REG_RCX, REG_RDX, REG_RSP, SEGMENT_FLAT, SEG_CS, STATE_DEADLINE, STATE_INSTRUCTIONS, STATE_RIP_BASE, STATE_TLB_BASE_32, TLB_ENTRY_ADDEND_32, TLB_ENTRY_READ,
  TLB_ENTRY_WRITE, TLB_SIZE, UOP_IMMEDIATE, UOP_SIZE,
} from './layout';

/**
 * The main loop: executes uops from \`u\`, the first of its block, until \`leave\` says that there is no next one. A case
 * goes on with \`continue\`; \`break\` leaves the uop, by its link when it is a branch with one and nothing has asked for
 * attention, else through \`leave\`. There are two: \`loop64\` executes 64-bit code, with linear addresses of 64 bits, and
 * \`loop\` everything else. What is returned is the first uop of the next block when that is the other one's, or 0.
 */
${loopFunction(operations, false)}
${loopFunction(operations, true)}`;

const loopFunction = (operations, wide) => `export function ${wide ? 'loop64' : 'loop'}(u: usize): usize {
  let block: usize = u;
  let tlb: usize = load<u32>(STATE_TLB_BASE_32);
  while (true) {
    switch (uopOp(u)) {
      case ${operations.resync}: break;
      case ${operations.next}: { // the block goes on in another one
        const next = uopLink(u);
        if (next == 0) break;
        retire((u - block) >> 5);
        u = next;
        block = next;
        continue;
      }
      case ${operations.raise}: { executeSlow(u); break; }
${loopCases(operations, wide)}
      default: {
        executeSlow(u);
        if (fault || uopOp(u) >= ${operations.firstEnding}) break;
        u += UOP_SIZE;
        continue;
      }
    }
    const next = uopLink(u);
    const count = load<u64>(STATE_INSTRUCTIONS) + ((u - block) >> 5) + 1;
    if (next != 0 && count < load<u64>(STATE_DEADLINE)) {
      store<u64>(STATE_INSTRUCTIONS, count);
      u = next;
      block = next;
      continue;
    }
    ${LEAVE.replaceAll('$A', wide ? 'u64' : 'u32')}
  }
}
`;

/** The generated files by name, the number of cases of the main loop, and the handlers that nobody has written. */
export function generate({ layout, instructions: table, conditions }, sources) {
  const functions = vectorFunctions(sources);
  const instructions = table.map((row) => {
    const vector = functionName(row.handler);
    return functions.has(vector) ? { ...row, vector, handler: vectorHandler(row) } : row;
  });
  const operations = new Operations(instructions);
  const handlers = handlersSource(operations, sources, instructions, functions);
  return {
    files: {
      'layout.ts': layoutSource(layout),
      'decoder.ts': decoderSource(instructions, operations, conditions),
      'handlers.ts': handlers.text,
      'loop.ts': loopSource(operations),
    },
    hotOperations: operations.firstHandler,
    missing: handlers.missing,
  };
}
