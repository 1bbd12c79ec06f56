#!/usr/bin/env node
/**
 * Mutation testing: npm run mutate -- [--sample N] [--seed S] [--quick MS] [FILE...]
 *
 * Changes one thing of the sources at a time (a comparison, an operator, a constant, a condition, a returned value, a
 * statement that is left out) and looks whether a test notices. Every mutant is compiled into the sources once, behind
 * a question that is asked at run time; the unit tests are loaded once, into this process, and of a mutant only those
 * are run that come by it, fastest first, up to the first that fails. What runs for too long has noticed, too: loops
 * count.
 *
 * Not mutated: types, strings, what a bug of our own is asserted with, and what an error says.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createViteServer, parseAst } from 'vitest/node';

process.env.SKEP_SEED ??= '1';
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(ROOT);

/** What is mutated, and the tests that may notice. */
const MUTATED = ['src/memory', 'src/devices/pci'];
const TESTS = [
  'src/memory',
  'src/devices/pci',
  'src/devices/chipset',
  'src/devices/framebuffer.test.ts',
  'src/devices/boot-rom.test.ts',
];
/** One tests nothing that is mutated; of the other the first part is enough. */
const LEFT_OUT = /memory\/index\.test\.ts/;
const NEEDLESS = /part [1-9]/;
/** Where loops count. */
const COUNTED = /^src\/(base|bus|memory|devices)\//;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: 'string' }, seed: { type: 'string', default: '1' }, quick: { type: 'string' } },
});

// Mutants

const OTHERS = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '**': ['*'],
  '&': ['|'],
  '|': ['&'],
  '^': ['&'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<'],
  '&&': ['||'],
  '||': ['&&'],
  '+=': ['-='],
  '-=': ['+='],
  '|=': ['&='],
  '&=': ['|='],
  '++': ['--'],
  '--': ['++'],
};
const NOT_CODE = new Set([
  'typeAnnotation',
  'typeParameters',
  'typeArguments',
  'returnType',
  'implements',
  'superTypeArguments',
]);
const LOOPS = new Set(['ForStatement', 'ForOfStatement', 'ForInStatement', 'WhileStatement', 'DoWhileStatement']);
const UNWRAPPED = new Set(['TSAsExpression', 'TSNonNullExpression', 'TSSatisfiesExpression']);

const isText = (node) =>
  node?.type === 'TemplateLiteral' || (node?.type === 'Literal' && typeof node.value === 'string');
/** Our own bugs, and errors, are not mutated. */
const isSaid = ({ type, callee, expression }) =>
  (type === 'CallExpression' && callee.name === 'assert') ||
  (type === 'NewExpression' && callee.name?.endsWith('Error')) ||
  (type === 'ExpressionStatement' && (isSaid(expression) || expression.callee?.type === 'Super'));

/** One source file: its mutants, and itself with all of them built in. */
class Mutated {
  constructor(file, text, { mutates }) {
    this.file = file;
    this.text = text;
    this.mutates = mutates;
    this.mutants = [];
    const program = parseAst(text, { lang: 'ts' });
    this.code = this.emit(program, undefined, '');
  }

  /** The text of a node, with its mutants and those below it. */
  emit(node, parent, key) {
    if (isSaid(node)) return this.slice(node);
    let code = '';
    let at = node.start;
    for (const [child, childKey] of this.children(node)) {
      code += this.text.slice(at, child.start) + this.emit(child, node, childKey);
      at = child.end;
    }
    code += this.text.slice(at, node.end);
    return this.counted(node, parent, key, this.mutates ? this.wrap(node, parent, key, code) : code);
  }

  /** The body of a loop counts its turns. */
  counted(_node, parent, key, code) {
    return key === 'body' && LOOPS.has(parent?.type) ? `{ __mutation.turn(); ${code} }` : code;
  }

  children(node) {
    if (node.type.startsWith('TS') && !UNWRAPPED.has(node.type)) return [];
    if (node.type === 'ImportDeclaration' || node.type === 'ExportSpecifier') return [];
    return Object.entries(node)
      .filter(([key]) => !NOT_CODE.has(key))
      .flatMap(([key, value]) => (Array.isArray(value) ? value : [value]).map((child) => [child, key]))
      .filter(([child, key]) => typeof child?.type === 'string' && !(node.shorthand && key === 'key'))
      .sort(([a], [b]) => a.start - b.start);
  }

  wrap(node, parent, key, code) {
    if (node.type === 'ExpressionStatement' || node.type === 'ThrowStatement') {
      return `if (${this.question(node, '(nothing)')}) ; else { ${code} }`;
    }
    let wrapped = code;
    for (const other of this.others(node, parent, key))
      wrapped = `(${this.question(node, other)} ? (${other}) : ${wrapped})`;
    return wrapped;
  }

  /** What may stand in a node's place. */
  others(node, parent, key) {
    const { type, left, right, operator, argument } = node;
    const others = [];
    if (type === 'BinaryExpression' || type === 'LogicalExpression') {
      if (operator === '??') others.push(this.slice(right));
      else if (!isText(left) && !isText(right)) {
        for (const other of OTHERS[operator] ?? [])
          others.push(`(${this.slice(left)}) ${other} (${this.slice(right)})`);
      }
    }
    if (type === 'AssignmentExpression' || type === 'UpdateExpression') {
      for (const other of OTHERS[operator] ?? []) {
        if (type === 'AssignmentExpression') others.push(`${this.slice(left)} ${other} ${this.slice(right)}`);
        else others.push(node.prefix ? `${other}${this.slice(argument)}` : `${this.slice(argument)}${other}`);
      }
    }
    if (type === 'UnaryExpression' && ['!', '-', '~'].includes(operator)) others.push(this.slice(argument));
    if (type === 'Literal' && key !== 'key') {
      if (typeof node.value === 'number') others.push(String(node.value + 1));
      if (typeof node.value === 'boolean') others.push(String(!node.value));
    }
    if (key === 'test' && ['IfStatement', 'ConditionalExpression'].includes(parent.type)) others.push('true', 'false');
    if (key === 'argument' && parent.type === 'ReturnStatement') others.push('undefined');
    if (key === 'body' && parent.type === 'ArrowFunctionExpression' && type !== 'BlockStatement')
      others.push('undefined');
    return others.filter((other) => other !== this.slice(node));
  }

  question(node, other) {
    const id = allMutants.length;
    const line = this.text.slice(0, node.start).split('\n').length;
    allMutants.push({ id, file: this.file, line, what: this.slice(node).replace(/\s+/g, ' '), other });
    return `__mutation.is(${id})`;
  }

  slice({ start, end }) {
    return this.text.slice(start, end);
  }
}

const allMutants = [];

// Tests

/** What tests find under the name of vitest, and what mutants ask. */
class Suite {
  tests = [];
  #hooks = [[]];

  add(name, body) {
    const each = this.#hooks.flat();
    this.tests.push({ name, run: () => this.#run(each, body), time: 0 });
  }

  describe(_name, body) {
    this.#hooks.push([]);
    body();
    this.#hooks.pop();
  }

  beforeEach(hook) {
    this.#hooks.at(-1).push(hook);
  }

  async #run(hooks, body) {
    for (const hook of hooks) await hook();
    await body();
  }
}

function vitestOf(suite, expect) {
  const listed = (make) => (cases) => (name, body) => {
    for (const one of cases) make(format(name, one), () => (Array.isArray(one) ? body(...one) : body(one)));
  };
  const test = (name, body) => suite.add(name, body);
  const describe = (name, body) => suite.describe(name, body);
  test.each = listed(test);
  describe.each = listed(describe);
  test.skip = () => undefined;
  return { test, it: test, describe, expect, beforeEach: (hook) => suite.beforeEach(hook) };
}

const format = (name, one) => name.replace('%d', String(Array.isArray(one) ? one[0] : one));

async function makeExpect() {
  const own = createRequire(import.meta.resolve('vitest/node'));
  const { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend, setState } = await import(
    pathToFileURL(own.resolve('@vitest/expect')).href
  );
  for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);
  setState({}, chai.expect);
  return Object.assign(chai.expect, {
    unreachable(message) {
      throw new Error(message);
    },
  });
}

const filesIn = (place, end) =>
  place.endsWith('.ts')
    ? [place]
    : readdirSync(place)
        .filter((name) => name.endsWith(end))
        .map((name) => join(place, name));

// The run

class Overrun extends Error {}

const mutation = {
  active: -1,
  turns: 0,
  most: Infinity,
  /** Mutants that the test under way has come by; nobody wants to know outside of the first run. */
  met: undefined,
  is(id) {
    if (id === mutation.active) return true;
    mutation.met?.add(id);
    return false;
  },
  turn() {
    if (++mutation.turns > mutation.most) throw new Overrun();
  },
};
globalThis.__mutation = mutation;

const sources = new Map();
for (const file of MUTATED.flatMap((place) => filesIn(place, '.ts')).filter((name) => !name.endsWith('.test.ts'))) {
  const mutates = positionals.length === 0 || positionals.some((wanted) => file.includes(wanted));
  sources.set(resolve(file), new Mutated(file, readFileSync(file, 'utf8'), { mutates }).code);
}

const expect = await makeExpect();
const server = await createViteServer({
  configFile: false,
  root: ROOT,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null, hmr: false, ws: false },
  optimizeDeps: { noDiscovery: true, include: [] },
  oxc: { target: 'es2022' },
  ssr: { noExternal: ['vitest'] },
  plugins: [
    {
      name: 'mutants',
      enforce: 'pre',
      resolveId: (id) => (id === 'vitest' ? '\0vitest' : undefined),
      load: (id) =>
        id === '\0vitest' ? 'export const { test, it, describe, expect, beforeEach } = __mutation.vitest;' : undefined,
      transform(text, id) {
        const file = id.split('?')[0];
        if (!COUNTED.test(relative(ROOT, file))) return undefined;
        return sources.get(file) ?? new Mutated(file, text, { mutates: false }).code;
      },
    },
  ],
});

/** All tests, from modules that are evaluated anew. */
async function load() {
  const { runner } = server.environments.ssr;
  runner.clearCache();
  const suite = new Suite();
  mutation.vitest = vitestOf(suite, expect);
  for (const file of TESTS.flatMap((place) => filesIn(place, '.test.ts'))) {
    if (!LEFT_OUT.test(file)) await runner.import(`/${file}`);
  }
  return suite.tests.filter(({ name }) => !NEEDLESS.test(name));
}

/** What a test says that notices. Most turns are taken from its run without mutants. */
async function fails(test) {
  mutation.turns = 0;
  mutation.most = 20 * (test.turns ?? Infinity) + 100_000;
  try {
    await test.run();
    return undefined;
  } catch (error) {
    return { error };
  }
}

async function firstRun(tests) {
  for (const [index, test] of tests.entries()) {
    mutation.met = new Set();
    const start = process.cpuUsage();
    const failure = await fails(test);
    if (failure !== undefined) throw new Error(`'${test.name}' fails without any mutant`, { cause: failure.error });
    const { user } = process.cpuUsage(start);
    Object.assign(test, { index, time: user / 1000, met: mutation.met, turns: mutation.turns });
  }
  mutation.met = undefined;
  const slowest = options.quick === undefined ? Infinity : Number(options.quick);
  return tests.filter(({ time }) => time <= slowest).sort((a, b) => a.time - b.time);
}

/** Whether a mutant is noticed. One that is asked about when modules are loaded may need them loaded with it. */
async function isNoticed({ id }, tests) {
  mutation.active = id;
  try {
    if (await anyFails(tests.filter(({ met }) => met.has(id)))) return true;
    return atLoad.has(id) && (await anyFails(await loadAgain(tests)));
  } finally {
    mutation.active = -1;
  }
}

async function anyFails(tests) {
  for (const test of tests) if ((await fails(test)) !== undefined) return true;
  return false;
}

/** The same tests from new modules. Modules that cannot be loaded are a test that fails. */
async function loadAgain(tests) {
  Object.assign(mutation, { turns: 0, most: 10_000_000 });
  try {
    const again = await load();
    return tests.map(({ index, turns }) => Object.assign(again[index], { turns }));
  } catch (error) {
    return [{ run: () => Promise.reject(error) }];
  }
}

/** A small generator (mulberry32). */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function sampleOf(mutants) {
  if (options.sample === undefined) return mutants;
  const random = generator(Number(options.seed));
  const drawn = mutants.map((mutant) => ({ mutant, key: random() })).sort((a, b) => a.key - b.key);
  return drawn
    .slice(0, Number(options.sample))
    .map(({ mutant }) => mutant)
    .sort((a, b) => a.id - b.id);
}

const show = ({ file, line, what, other }) => `${file}:${line}: ${what.slice(0, 90)}  ->  ${other.slice(0, 60)}`;

mutation.met = new Set();
const all = await load();
const atLoad = mutation.met;
const tests = await firstRun(all);
const chosen = sampleOf(allMutants);
console.log(`${allMutants.length} mutants, ${chosen.length} of them tried; ${tests.length} tests`);
const byFile = new Map();
let killed = 0;
for (const mutant of chosen) {
  const noticed = await isNoticed(mutant, tests);
  const count = byFile.get(mutant.file) ?? { killed: 0, all: 0 };
  byFile.set(mutant.file, { killed: count.killed + Number(noticed), all: count.all + 1 });
  killed += Number(noticed);
  if (!noticed) console.log(`survives: ${show(mutant)}`);
}
for (const [file, count] of byFile) console.log(`${file}: ${count.killed} of ${count.all}`);
console.log(`${killed} of ${chosen.length} killed: ${((100 * killed) / chosen.length).toFixed(1)} %`);
await server.close();
process.exit(0);
