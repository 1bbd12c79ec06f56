// Builds everything into dist/: the opcode table, from it the engine (WebAssembly), then all layers.
// Each step looks at its inputs first, so that a build with nothing to do takes well under a second.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { chmodSync } from 'node:fs';

const require = createRequire(import.meta.url);
const tsc = require.resolve('typescript/package.json').replace('package.json', 'bin/tsc');

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

run(tsc, '-b', 'src/cpu/x86/table');
run('src/cpu/x86/build.mjs');
run(tsc, '-b');
chmodSync('dist/cli/main.js', 0o755);
