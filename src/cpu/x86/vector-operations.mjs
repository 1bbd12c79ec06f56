// Makes handlers out of functions on vectors. A row of the opcode table whose handler is a function of core/ with one of
// the signatures below gets a handler that checks whether the instruction may run, fetches its operands, calls the function
// and stores what it returns; which of all this how follows from the row's operands.
//
//     (a: v128, b: v128): v128              destination and source, e.g. PADDB
//     (a: v128, b: v128, immediate: u32)    … and the immediate
//     (b: v128): v128                       the source alone, e.g. PABSB
//     (b: v128, immediate: u32): v128       … and the immediate, e.g. PSHUFD
//     (a: v128, value: u64, immediate: u32) the source is a general register or memory, e.g. PINSRW
//     (…): u32                              into a general register, e.g. PMOVMSKB
//     (a: v128, b: v128): void              flags alone, e.g. UCOMISS

/** Suffixes of the access functions in vector-register.ts by the second part of an operand. */
const WIDTHS = { ps: 'Aligned', pd: 'Aligned', dq: 'Aligned', u: '16', q: '8', sd: '8', d: '4', ss: '4', w: '2' };
const BYTES = { b: 1, w: 2, d: 4 };

const SIGNATURE = /export function (\w+)\(((?:a: v128|b: v128)[^)]*)\): (v128|u32|void) \{/g;

/** The functions on vectors by name: their parameters, what they return, and their file. */
export function vectorFunctions(sources) {
  const found = new Map();
  for (const { file, text } of sources) {
    const from = file.replace(/^.*\//, '').replace(/\.ts$/, '');
    for (const [, name, parameters, result] of text.matchAll(SIGNATURE)) {
      const names = parameters.split(', ').map((parameter) => parameter.split(':')[0]);
      found.set(name, { names, result, from });
    }
  }
  return found;
}

/** Rows with one function and the same kinds of operands share a case. */
export const shapeOf = ({ operands }) => operands.map((operand) => operand.replace(/^([A-Z])(.*)$/, kindOf)).join('_');

function kindOf(_, letter, width) {
  if (letter === 'I') return 'i';
  const matters = 'WQM'.includes(letter);
  return (letter + (matters ? (WIDTHS[width] ?? width) : letter === 'R' || letter === 'G' ? width : '')).toLowerCase();
}

const isMmx = (operand, row) =>
  /^[PQN]/.test(operand) || (operand.startsWith('M') && row.operands.some((other) => other.startsWith('P')));
const isVector = (operand) => /^[VWUPQNM]/.test(operand);

function fetch(operand, row) {
  const mmx = isMmx(operand, row);
  const width = WIDTHS[operand.slice(1)];
  switch (operand[0]) {
    case 'V':
      return 'xmm(uopReg(u))';
    case 'P':
      return 'mmx(uopReg(u))';
    case 'U':
      return 'xmm(uopRm(u))';
    case 'N':
      return 'mmx(uopRm(u))';
    case 'W':
      return `source${width}(u)`;
    case 'Q':
      return `sourceMmx${width}(u)`;
    default:
      return `load${mmx && width === 'Aligned' ? '8' : width}(u)`;
  }
}

function put(operand, value) {
  const width = WIDTHS[operand.slice(1)];
  switch (operand[0]) {
    case 'V':
      return `setXmm(uopReg(u), ${value});`;
    case 'P':
      return `setMmx(uopReg(u), ${value});`;
    case 'U':
      return `setXmm(uopRm(u), ${value});`;
    case 'N':
      return `setMmx(uopRm(u), ${value});`;
    case 'W':
      return `if (isMemory(u)) store${width}(u, ${value}); else setXmm(uopRm(u), ${value});`;
    case 'Q':
      return `if (isMemory(u)) store${width}(u, ${value}); else setMmx(uopRm(u), ${value});`;
    case 'G':
      return `setReg32(uopReg(u), ${value});`;
    default:
      return `store${width}(u, ${value});`;
  }
}

/** Where B comes from: shifts by an immediate have it for their count. */
function sourceOf(row, value) {
  const [, source] = row.operands;
  if (source === 'Ib') return 'i64x2.splat(uopImmediate(u))';
  if (value)
    return `readOperandOf(u, ${source.endsWith('y') ? 'uopSize(u)' : source.startsWith('M') ? BYTES[source.slice(1)] : 4})`;
  return fetch(source, row);
}

/** The body of a row's handler. `name` is the function's name in the generated file. */
export function vectorCase(row, { names, result }, name) {
  const [destination] = row.operands;
  const vectors = row.operands.filter(isVector);
  const mmx = vectors.some((operand) => isMmx(operand, row));
  const sse = vectors.some((operand) => !isMmx(operand, row) && !(names.includes('value') && operand.startsWith('M')));
  const check = mmx && sse ? 'maySseAndMmx' : mmx ? 'mayMmx' : 'maySse';
  const passed = names.map((parameter) =>
    parameter === 'a' ? fetch(destination, row) : parameter === 'immediate' ? '<u32>uopImmediate(u) & 0xff' : 'b',
  );
  const masked = mmx && names.includes('value') ? passed.map((text) => text.replace('0xff', '3')) : passed;
  const call = `${name}(${masked.join(', ')})`;
  const lines = [
    `if (!${check}()) return;`,
    `const b = ${sourceOf(row, names.includes('value'))};`,
    'if (fault) return;',
    // Processors enter the MMX state before a conversion raises its exception, and not when a store raises one.
    ...(mmx && sse ? ['enterMmx();'] : []),
    ...(result === 'void' ? [`${call};`] : [`const result = ${call};`]),
    'if (fault) return;',
    ...(result === 'void' ? [] : [put(destination, 'result')]),
    ...(mmx && !sse ? ['if (!fault) enterMmx();'] : []),
  ];
  return `{ ${lines.join(' ')} }`;
}

/** What the bodies call. */
export const VECTOR_IMPORTS = `import { fault } from '../fault';
import { readOperandOf } from '../operand';
import { setReg32 } from '../state';
import { isMemory, uopImmediate, uopReg, uopRm, uopSize } from '../uop';
import {
  enterMmx, load16, load2, load4, load8, loadAligned, mayMmx, maySse, maySseAndMmx, mmx, setMmx, setXmm, source16,
  source2, source4, source8, sourceAligned, sourceMmx4, sourceMmx8, store16, store4, store8, storeAligned, xmm,
} from '../vector-register';`;
