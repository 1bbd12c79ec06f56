import { expect, test } from 'vitest';
import { disposable, Lifetimes } from './disposable.ts';

test('a disposable ends once, however often it is told to', () => {
  let ends = 0;
  const owned = disposable(() => ends++);
  owned[Symbol.dispose]();
  owned[Symbol.dispose]();
  expect(ends).toBe(1);
});

test('lifetimes end in reverse order', () => {
  const order: number[] = [];
  const lifetimes = new Lifetimes();
  for (const index of [1, 2, 3]) lifetimes.own(disposable(() => order.push(index)));
  lifetimes[Symbol.dispose]();
  expect(order).toEqual([3, 2, 1]);
});

test('lifetimes end even when the end of one of them throws', () => {
  const order: number[] = [];
  const lifetimes = new Lifetimes();
  for (const index of [1, 2, 3]) {
    lifetimes.own(
      disposable(() => {
        order.push(index);
        if (index === 2) throw new Error('no space left');
      }),
    );
  }
  expect(() => lifetimes[Symbol.dispose]()).toThrow('no space left');
  expect(order).toEqual([3, 2, 1]);
});

test('owning gives back what is owned', () => {
  const owned = disposable(() => {});
  expect(new Lifetimes().own(owned)).toBe(owned);
});

test('lifetimes that have ended can own anew and end again', () => {
  const order: string[] = [];
  const lifetimes = new Lifetimes();
  lifetimes.own(disposable(() => order.push('first')));
  lifetimes[Symbol.dispose]();
  lifetimes.own(disposable(() => order.push('second')));
  lifetimes[Symbol.dispose]();
  expect(order).toEqual(['first', 'second']);
});
