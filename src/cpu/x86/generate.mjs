// Turns the layout and the opcode table into AssemblyScript sources.

/** `{ A: 1, B: { C: 2 } }` as lines `export const A: u32 = 0x1`, names joined by `_`. */
function constants(values) {
  return Object.entries(values).map(([name, value]) => `export const ${name}: u32 = 0x${value.toString(16)};`);
}

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

/** The generated files by name. */
export function generate({ layout }) {
  return { 'layout.ts': layoutSource(layout) };
}
