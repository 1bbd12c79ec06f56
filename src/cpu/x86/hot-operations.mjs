// The operations with a case of their own in the main loop: which rows of the opcode table they serve and what the
// case does. A row not found here is executed by its handler, out of line.
//
// `forms` are combinations of operand kinds: R the register in ModRM.rm or the opcode, G the register in ModRM.reg,
// M memory, I an immediate, J a branch's displacement, A the accumulator, X anything else. Bodies are AssemblyScript;
// `u` is the uop, `T` the unsigned type of the operand size. A body ends with `NEXT` (go on with the next uop) or
// `break` (leave the uop: a taken branch or a fault).

const NEXT = 'u += UOP_SIZE; continue;';

/** Leaves the block by the slow way, whatever link the uop has. */
export const LEAVE =
  '{ u = leave(u, block); block = u; if (u == 0 || isElsewhere<$A>()) return u; tlb = load<u32>(STATE_TLB_BASE_32); continue; }';

/** Goes on at `target` by the jump cache, if that knows it and nothing has asked for attention; else to what follows. */
const onward = (target) => `
        const target: u64 = ${target};
        const first = findJump(target);
        const count = load<u64>(STATE_INSTRUCTIONS) + ((u - block) >> 5) + 1;
        if (first != 0 && count < load<u64>(STATE_DEADLINE)) {
          store<u64>(STATE_INSTRUCTIONS, count);
          store<u64>(STATE_RIP_BASE, target & ~(<u64>0xfff));
          u = first;
          block = first;
          continue;
        }`;

/** The same for a branch that has no link. */
const ONWARD_UNLINKED = `if (uopLink(u) == 0) { ${onward('branchTarget(u)')} } break;`;

/** Looks `address` up in the TLB: `hit` when all bytes lie in one page whose tag is there, else `miss`. */
const lookup = (tag, size, hit, miss) => `
        const address: $A = flatAddress<$A>(u);
        const entry: usize = tlb + ((u32(address >> 12) & (TLB_SIZE - 1)) << 5);
        if (uopSegment(u) == SEGMENT_FLAT && load<u64>(entry, TLB_ENTRY_${tag}) == u64((address + ${size - 1}) & ~(<$A>0xfff))) {
          const place: usize = u32(address) + load<u32>(entry, TLB_ENTRY_ADDEND_32);
          ${hit}
        } else {
          ${miss}
        }`;

const loadInto = (T, size) =>
  `let value: ${T} = 0;${lookup(
    'READ',
    size,
    `value = load<${T}>(place);`,
    `value = loadOperand<${T}>(u); if (fault) break;`,
  )}`;

const storeFrom = (T, size, value) =>
  lookup('WRITE', size, `store<${T}>(place, ${value});`, `storeOperand<${T}>(u, ${value}); if (fault) break;`);

const update = (T, size, change) =>
  lookup(
    'WRITE',
    size,
    `store<${T}>(place, ${change(`load<${T}>(place)`)});`,
    `const old: ${T} = beginUpdate<${T}>(u); if (fault) break; endUpdate<${T}>(${change('old')});`,
  );

const SOURCE = {
  R: (T) => `get<${T}>(uopRm(u))`,
  G: (T) => `get<${T}>(uopReg(u))`,
  I: (T) => `<${T}>load<u64>(u, UOP_IMMEDIATE)`,
};

/** The two-operand operations by form. `operation` is a function of operation.ts. */
const twoOperands = (operation) => ({
  RG: (T) => `set<${T}>(uopRm(u), ${operation}<${T}>(${SOURCE.R(T)}, ${SOURCE.G(T)})); ${NEXT}`,
  RI: (T) => `set<${T}>(uopRm(u), ${operation}<${T}>(${SOURCE.R(T)}, ${SOURCE.I(T)})); ${NEXT}`,
  GM: (T, size) =>
    `${loadInto(T, size)}\n        set<${T}>(uopReg(u), ${operation}<${T}>(${SOURCE.G(T)}, value)); ${NEXT}`,
  MG: (T, size) => `${update(T, size, (old) => `${operation}<${T}>(${old}, ${SOURCE.G(T)})`)} ${NEXT}`,
  MI: (T, size) => `${update(T, size, (old) => `${operation}<${T}>(${old}, ${SOURCE.I(T)})`)} ${NEXT}`,
});

/** The same for CMP and TEST, which write no result. */
const comparison = (operation) => ({
  RG: (T) => `${operation}<${T}>(${SOURCE.R(T)}, ${SOURCE.G(T)}); ${NEXT}`,
  RI: (T) => `${operation}<${T}>(${SOURCE.R(T)}, ${SOURCE.I(T)}); ${NEXT}`,
  GM: (T, size) => `${loadInto(T, size)}\n        ${operation}<${T}>(${SOURCE.G(T)}, value); ${NEXT}`,
  MG: (T, size) => `${loadInto(T, size)}\n        ${operation}<${T}>(value, ${SOURCE.G(T)}); ${NEXT}`,
  MI: (T, size) => `${loadInto(T, size)}\n        ${operation}<${T}>(value, ${SOURCE.I(T)}); ${NEXT}`,
});

const MOV = {
  RG: (T) => `set<${T}>(uopRm(u), ${SOURCE.G(T)}); ${NEXT}`,
  RI: (T) => `set<${T}>(uopRm(u), ${SOURCE.I(T)}); ${NEXT}`,
  GM: (T, size) => `${loadInto(T, size)}\n        set<${T}>(uopReg(u), value); ${NEXT}`,
  MG: (T, size) => `${storeFrom(T, size, SOURCE.G(T))} ${NEXT}`,
  MI: (T, size) => `${storeFrom(T, size, SOURCE.I(T))} ${NEXT}`,
};

const oneOperand = (operation) => ({
  R: (T) => `set<${T}>(uopRm(u), ${operation}<${T}>(${SOURCE.R(T)})); ${NEXT}`,
  M: (T, size) => `${update(T, size, (old) => `${operation}<${T}>(${old})`)} ${NEXT}`,
});

/** MOVZX and MOVSX: `S` is the type of the source, `T` that of the destination. */
const extension = (S, sourceSize) => ({
  GR: (T) => `set<${T}>(uopReg(u), <${T}>get<${S}>(uopRm(u))); ${NEXT}`,
  GM: (T) => `${loadInto(S, sourceSize)}\n        set<${T}>(uopReg(u), <${T}>value); ${NEXT}`,
});

/** Shifts and rotates of a register by an immediate or by CL, which `form` shows as X. */
const shift = (operation) => ({
  RI: (T) =>
    `set<${T}>(uopRm(u), ${operation}<${T}>(${SOURCE.R(T)}, load<u8>(u, UOP_IMMEDIATE) & COUNT_MASK<${T}>())); ${NEXT}`,
  RX: (T) => `set<${T}>(uopRm(u), ${operation}<${T}>(${SOURCE.R(T)}, reg8(REG_RCX) & COUNT_MASK<${T}>())); ${NEXT}`,
});

const exchange = (T) => `
        const kept: ${T} = ${SOURCE.R(T)};
        set<${T}>(uopRm(u), ${SOURCE.G(T)});
        set<${T}>(uopReg(u), kept); ${NEXT}`;

const PUSH = (T, size, value) => `
        const pushed: ${T} = ${value};
        const top: $A = get<$A>(REG_RSP) - ${size};
        const entry: usize = tlb + ((u32(top >> 12) & (TLB_SIZE - 1)) << 5);
        if (load<u64>(entry, TLB_ENTRY_WRITE) == u64((top + ${size - 1}) & ~(<$A>0xfff))) {
          store<${T}>(u32(top) + load<u32>(entry, TLB_ENTRY_ADDEND_32), pushed);
        } else {
          storeFlat<${T}>(u, top, pushed); if (fault) break;
        }
        set<$A>(REG_RSP, top);`;

const POP = (T, size) => `
        let value: ${T} = 0;
        const top: $A = get<$A>(REG_RSP);
        const entry: usize = tlb + ((u32(top >> 12) & (TLB_SIZE - 1)) << 5);
        if (load<u64>(entry, TLB_ENTRY_READ) == u64((top + ${size - 1}) & ~(<$A>0xfff))) {
          value = load<${T}>(u32(top) + load<u32>(entry, TLB_ENTRY_ADDEND_32));
        } else {
          value = loadFlat<${T}>(u, top); if (fault) break;
        }`;

/** Stack operations while the stack is flat and 32 bits wide; otherwise the handler in stack.ts does them. */
const STACK = {
  push: {
    R: (T, size) => `${PUSH(T, size, SOURCE.R(T))} ${NEXT}`,
    I: (T, size) => `${PUSH(T, size, SOURCE.I(T))} ${NEXT}`,
  },
  pop: { R: (T, size) => `${POP(T, size)} set<$A>(REG_RSP, top + ${size}); set<${T}>(uopRm(u), value); ${NEXT}` },
};

const operations = (handler, sizes, forms, rest = {}) =>
  Object.entries(forms).flatMap(([form, body]) => sizes.map((size) => ({ handler, size, form, body, ...rest })));

const ARITHMETIC = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor'];
const CONDITIONS = [
  'overflowFlag() != 0',
  'carryFlag() != 0',
  'zeroFlag() != 0',
  '(carryFlag() | zeroFlag()) != 0',
  'signFlag() != 0',
  'parityFlag() != 0',
  '(signFlag() ^ overflowFlag()) != 0',
  '((signFlag() ^ overflowFlag()) | zeroFlag()) != 0',
];

/** `{ handler, size, form, body, stack?, condition? }`; the position gives the number of the case. */
export const HOT_OPERATIONS = [
  ...operations('mov', [1, 2, 4, 8], MOV),
  ...ARITHMETIC.flatMap((name) => operations(name, [1, 2, 4, 8], twoOperands(name))),
  ...['cmp', 'test'].flatMap((name) => operations(name, [1, 2, 4, 8], comparison(name === 'cmp' ? 'compare' : 'test'))),
  ...['inc', 'dec'].flatMap((name) => operations(name, [1, 2, 4, 8], oneOperand(name))),
  ...operations('movzx', [2, 4, 8], extension('u8', 1), { source: 'b' }),
  ...operations('movzx', [2, 4, 8], extension('u16', 2), { source: 'w' }),
  ...operations('movsx', [2, 4, 8], extension('i8', 1), { source: 'b' }),
  ...operations('movsx', [2, 4, 8], extension('i16', 2), { source: 'w' }),
  ...operations('movsxd', [8], extension('i32', 4)),
  ...operations('lea', [4, 8], { GM: (T) => `set<${T}>(uopReg(u), <${T}>ea(u)); ${NEXT}` }),
  ...['shl', 'shr', 'sar', 'rol', 'ror'].flatMap((name) => operations(name, [4, 8], shift(name))),
  ...operations('not', [4, 8], { R: (T) => `set<${T}>(uopRm(u), ~${SOURCE.R(T)}); ${NEXT}` }),
  ...operations('neg', [4, 8], { R: (T) => `set<${T}>(uopRm(u), sub<${T}>(0, ${SOURCE.R(T)})); ${NEXT}` }),
  ...operations('imul', [4, 8], {
    GR: (T) => `set<${T}>(uopReg(u), multiply<${T}>(${SOURCE.G(T)}, ${SOURCE.R(T)})); ${NEXT}`,
    GM: (T, size) =>
      `${loadInto(T, size)}\n        set<${T}>(uopReg(u), multiply<${T}>(${SOURCE.G(T)}, value)); ${NEXT}`,
    GRI: (T) => `set<${T}>(uopReg(u), multiply<${T}>(${SOURCE.R(T)}, ${SOURCE.I(T)})); ${NEXT}`,
  }),
  ...operations('setcc', [1], { R: () => `setReg8(uopRm(u), u32(condition(uopSelector(u)))); ${NEXT}` }),
  ...operations('cmovcc', [4, 8], {
    GR: (T) => `set<${T}>(uopReg(u), condition(uopSelector(u)) ? ${SOURCE.R(T)} : ${SOURCE.G(T)}); ${NEXT}`,
  }),
  ...operations('xchg', [2, 4, 8], { RG: exchange, RA: exchange }),
  ...operations('cwd', [4], { '': () => `set<u32>(REG_RDX, <u32>(<i32>reg32(REG_RAX) >> 31)); ${NEXT}` }),
  ...operations('cwd', [8], { '': () => `set<u64>(REG_RDX, <u64>(get<i64>(REG_RAX) >> 63)); ${NEXT}` }),
  ...operations('cbw', [4], { '': () => `set<u32>(REG_RAX, <u32>(<i32>get<i16>(REG_RAX))); ${NEXT}` }),
  ...operations('cbw', [8], { '': () => `set<u64>(REG_RAX, <u64>(<i64>get<i32>(REG_RAX))); ${NEXT}` }),
  ...operations('cld', [undefined], { '': () => `setSystemFlag(DF, false); ${NEXT}` }),
  ...operations('nop', [2, 4, 8], { '': () => NEXT, R: () => NEXT, M: () => NEXT }),
  ...operations('push', [2, 4, 8], STACK.push, { stack: true }),
  ...operations('pop', [2, 4, 8], STACK.pop, { stack: true }),
];

/** Branches, whose bodies leave the uop when they are taken; the common end of the loop follows the link. */
export const HOT_BRANCHES = [
  ...CONDITIONS.flatMap((test, index) => [
    { handler: 'jcc', condition: index * 2, form: 'J', body: () => `if (${test}) break; ${NEXT}` },
    { handler: 'jcc', condition: index * 2 + 1, form: 'J', body: () => `if (!(${test})) break; ${NEXT}` },
  ]),
  { handler: 'jmp', form: 'J', body: () => ONWARD_UNLINKED },
  { handler: 'loop', form: 'J', body: () => `if (countDown(u)) break; ${NEXT}` },
  ...[4, 8].map((size) => ({
    handler: 'call',
    form: 'J',
    size,
    stack: true,
    body: (T) => `${PUSH(T, size, `<${T}>nextRip(u)`).replace('break;', LEAVE)} ${ONWARD_UNLINKED}`,
  })),
];

/** Conditions by number, of a comparison of `a` and `b`; `S` is the signed type. Overflow and parity are too rare. */
const COMPARED = {
  2: () => 'a < b',
  3: () => 'a >= b',
  4: () => 'a == b',
  5: () => 'a != b',
  6: () => 'a <= b',
  7: () => 'a > b',
  8: (S) => `<${S}>(a - b) < 0`,
  9: (S) => `<${S}>(a - b) >= 0`,
  12: (S) => `<${S}>a < <${S}>b`,
  13: (S) => `<${S}>a >= <${S}>b`,
  14: (S) => `<${S}>a <= <${S}>b`,
  15: (S) => `<${S}>a > <${S}>b`,
};

/** Conditions of a result `a`, with CF and OF clear. */
const TESTED = {
  4: () => 'a == 0',
  5: () => 'a != 0',
  8: (S) => `<${S}>a < 0`,
  9: (S) => `<${S}>a >= 0`,
  14: (S) => `<${S}>a <= 0`,
  15: (S) => `<${S}>a > 0`,
};

const ONLY_ZERO = { 4: TESTED[4], 5: TESTED[5] };
const SIGNED = { u8: 'i8', u16: 'i16', u32: 'i32', u64: 'i64' };

/**
 * A comparison and the Jcc behind it in one case. Both uops stay: the case does the first and goes on as the second,
 * so that links, counts and faults are the same as without.
 */
const fused = (handler, size, form, conditions, compared) =>
  Object.entries(conditions).map(([condition, test]) => ({
    handler,
    size,
    form,
    condition: Number(condition),
    body: (T) => `${compared(T, size)} u += UOP_SIZE; if (${test(SIGNED[T])}) break; u += UOP_SIZE; continue;`,
  }));

const compareWith = (left, right) => (T) =>
  `const a: ${T} = ${left(T)}; const b: ${T} = ${right(T)}; compare<${T}>(a, b);`;
const testWith = (T) => `const a: ${T} = ${SOURCE.R(T)} & ${SOURCE.G(T)}; test<${T}>(a, a);`;
const compareMemory = (left, right) => (T, size) => `${loadInto(T, size)}\n        ${compareWith(left, right)(T)}`;
const VALUE = () => 'value';

export const FUSED_OPERATIONS = [
  ...[4, 8].flatMap((size) => [
    ...fused('cmp', size, 'RG', COMPARED, compareWith(SOURCE.R, SOURCE.G)),
    ...fused('cmp', size, 'RI', COMPARED, compareWith(SOURCE.R, SOURCE.I)),
    ...fused('cmp', size, 'GM', COMPARED, compareMemory(SOURCE.G, VALUE)),
    ...fused('cmp', size, 'MI', COMPARED, compareMemory(VALUE, SOURCE.I)),
    ...fused('test', size, 'RG', TESTED, testWith),
    ...fused('dec', size, 'R', ONLY_ZERO, (T) => `const a: ${T} = dec<${T}>(${SOURCE.R(T)}); set<${T}>(uopRm(u), a);`),
  ]),
  ...fused('cmp', 1, 'RI', COMPARED, compareWith(SOURCE.R, SOURCE.I)),
  ...fused('cmp', 1, 'MI', COMPARED, compareMemory(VALUE, SOURCE.I)),
  ...fused('test', 1, 'RG', TESTED, testWith),
];

/** A target beyond the limit of CS, or in 64-bit mode one that is not canonical, raises #GP(0) before any change. */
const CHECK = (size) =>
  `if (${size === 8 ? '!isCanonical(value)' : 'value > segmentLimit(SEG_CS)'}) { raiseError(VECTOR_GP, 0); break; }`;

const RELEASED = (release) => (T, size) =>
  `${POP(T, size)} ${CHECK(size)} set<$A>(REG_RSP, top + ${size}${release}); ${onward('value')} setRip(value); break;`;

/** Near transfers to where only execution tells. They leave with RIP set. */
export const HOT_TRANSFERS = [
  ...operations('ret', [4, 8], { '': RELEASED(''), I: RELEASED(` + ${SOURCE.I('$A')}`) }, { stack: true }),
  ...operations('jmp_indirect', [4, 8], {
    R: (T, size) => `const value: ${T} = ${SOURCE.R(T)}; ${CHECK(size)} ${onward('value')} setRip(value); break;`,
    M: (T, size) => `${loadInto(T, size)} ${CHECK(size)} ${onward('value')} setRip(value); break;`,
  }),
  ...operations(
    'call_indirect',
    [4, 8],
    {
      R: (T, size) =>
        `const value: ${T} = ${SOURCE.R(T)}; ${CHECK(size)} ${PUSH(T, size, `<${T}>nextRip(u)`)} ${onward('value')} setRip(value); break;`,
    },
    { stack: true },
  ),
];
