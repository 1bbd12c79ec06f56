import { expect, test } from 'vitest';
import { Emitter } from './emitter.ts';

function recorded(): { emitter: Emitter<number>; heard: string[]; listen: (name: string) => Disposable } {
  const emitter = new Emitter<number>();
  const heard: string[] = [];
  return { emitter, heard, listen: (name) => emitter.on((event) => heard.push(`${name}${event}`)) };
}

test('listeners hear an event in the order in which they came', () => {
  const { emitter, heard, listen } = recorded();
  listen('b');
  listen('a');
  emitter.emit(1);
  emitter.emit(2);
  expect(heard).toEqual(['b1', 'a1', 'b2', 'a2']);
});

test('one function can listen twice and leave once', () => {
  const emitter = new Emitter<void>();
  let count = 0;
  const listener = (): number => count++;
  const first = emitter.on(listener);
  emitter.on(listener);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  emitter.emit();
  expect([count, emitter.listenerCount]).toEqual([1, 1]);
});

test('a listener that leaves while an event is told does not hear that event', () => {
  const { emitter, heard, listen } = recorded();
  const later: Disposable[] = [];
  emitter.on(() => later[0]?.[Symbol.dispose]());
  later.push(listen('late'));
  emitter.emit(1);
  expect(heard).toEqual([]);
});

test('an event that nobody listens to is lost', () => {
  const { emitter, heard, listen } = recorded();
  emitter.emit(1);
  listen('a');
  expect(heard).toEqual([]);
});
