import { expect, it } from 'vitest';

import { DebugPort, PostCode } from './debug-port.ts';

it('each byte written to the debug port is emitted, and nothing written beside it', () => {
  const emitted: number[] = [];
  const { port } = new DebugPort({ emit: (byte) => emitted.push(byte) });
  port.write(0, 1, 0x41);
  port.write(1, 1, 0x42);
  port.write(0, 4, 0x44434241);
  expect(emitted).toEqual([0x41, 0x41]);
});

it('the debug port reads as E9h', () => {
  const { port } = new DebugPort({ emit() {} });
  expect([port.read(0, 1), port.read(0, 2), port.read(0, 4)]).toEqual([0xe9, 0xffe9, 0xffffffe9]);
});

it('a POST code reads back until the reset', () => {
  const post = new PostCode();
  post.port.write(0, 1, 0xa5);
  expect([post.code, post.port.read(0, 1)]).toEqual([0xa5, 0xa5]);
  post.reset();
  expect(post.code).toBe(0);
});
