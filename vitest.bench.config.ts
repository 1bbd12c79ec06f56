import { defineConfig } from 'vitest/config';

/** Benches that need the machinery of tests. They judge time, so that no test does. */
export default defineConfig({
  oxc: { target: 'es2022' },
  test: { include: ['bench/**/*.test.ts'], testTimeout: 120_000 },
});
