import { describe, expect, test } from 'vitest';
import { Random, SEED } from '../../test/random.ts';
import { IntervalMap } from './interval-map.ts';

function mapOf(...ranges: [start: number, length: number][]): IntervalMap<string> {
  const map = new IntervalMap<string>();
  for (const [start, length] of ranges) map.insert(start, length, `${start}+${length}`);
  return map;
}

function starts(entries: Iterable<{ start: number }>): number[] {
  return [...entries].map((entry) => entry.start);
}

test('an empty map finds nothing', () => {
  const map = mapOf();
  expect([map.at(0), map.from(0), map.firstOverlapping(0, 100), map.remove(0), [...map]]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    [],
  ]);
});

test('at finds a range from its first number to its last, not at its end', () => {
  const map = mapOf([10, 5]);
  expect([9, 10, 14, 15].map((address) => map.at(address)?.value)).toEqual([undefined, '10+5', '10+5', undefined]);
});

test('from finds the first range that starts at a number or above, even if a lower one contains it', () => {
  const map = mapOf([10, 5], [20, 5]);
  expect([0, 10, 11, 20, 21].map((address) => map.from(address)?.start)).toEqual([10, 10, 20, 20, undefined]);
});

describe('insert refuses an overlap and returns the lowest range in the way', () => {
  test.each([
    ['the same', 10, 10],
    ['within', 12, 2],
    ['around', 5, 30],
    ['over its start', 5, 6],
    ['over its last number', 19, 5],
  ])('%s', (_case, start, length) => {
    const map = mapOf([10, 10], [30, 5]);
    expect(map.insert(start, length, 'new')).toMatchObject({ start: 10, end: 20 });
    expect([map.size, starts(map)]).toEqual([2, [10, 30]]);
  });

  test('neighbours do not overlap', () => {
    const map = mapOf([10, 10]);
    expect([map.insert(0, 10, 'below'), map.insert(20, 10, 'above')]).toEqual([undefined, undefined]);
  });
});

test.each([
  ['no length', 0, 0],
  ['a negative length', 10, -1],
  ['a fraction', 0.5, 1],
  ['an end beyond exact integers', Number.MAX_SAFE_INTEGER, 1],
  ['no number', Number.NaN, 1],
])('a range with %s is a bug of the caller', (_case, start, length) => {
  expect(() => mapOf().insert(start, length, '')).toThrow(/a range must/);
});

test('remove takes an exact start only', () => {
  const map = mapOf([10, 10]);
  expect(map.remove(11)).toBeUndefined();
  expect(map.remove(10)).toMatchObject({ start: 10, end: 20, value: '10+10' });
  expect([map.size, map.at(10)]).toEqual([0, undefined]);
});

test('overlapping gives each range that shares a number, ascending', () => {
  const map = mapOf([0, 10], [10, 10], [30, 10]);
  expect(starts(map.overlapping(9, 22))).toEqual([0, 10, 30]);
  expect(starts(map.overlapping(10, 20))).toEqual([10]);
  expect(starts(map.overlapping(20, 10))).toEqual([]);
});

test('iteration goes on behind the last range when that one is removed', () => {
  const map = mapOf([0, 1], [1, 1], [2, 1]);
  const seen: number[] = [];
  for (const { start } of map) {
    seen.push(start);
    map.remove(start);
  }
  expect([seen, map.size]).toEqual([[0, 1, 2], 0]);
});

test('iteration gives ranges that came ahead of it and not those that came behind', () => {
  const map = mapOf([10, 1], [20, 1]);
  const seen: number[] = [];
  for (const { start } of map) {
    seen.push(start);
    if (start === 10) {
      map.insert(5, 1, 'behind');
      map.insert(15, 1, 'ahead');
    }
  }
  expect(seen).toEqual([10, 15, 20]);
});

test('a range that grows down over the place of a removed first one is found from both sides of it', () => {
  const map = mapOf(...Array.from({ length: 200 }, (_, index): [number, number] => [index * 10, 10]));
  for (let start = 0; start < 1990; start += 10) {
    map.remove(start);
    map.remove(start + 10);
    map.insert(start + 5, 10, 'grown');
    expect([map.at(start + 5)?.start, map.at(start + 10)?.start, map.at(start + 14)?.start]).toEqual([
      start + 5,
      start + 5,
      start + 5,
    ]);
    map.remove(start + 5);
    map.insert(start, 10, 'back');
    map.insert(start + 10, 10, 'back');
  }
  expect(map.size).toBe(200);
});

test('clear empties it', () => {
  const map = mapOf([0, 1], [5, 1]);
  map.clear();
  expect([map.size, [...map], map.insert(0, 9, '')]).toEqual([0, [], undefined]);
});

/** The same map, stupid: an array, sorted anew after every insert. */
class NaiveMap {
  entries: { start: number; end: number; value: number }[] = [];

  insert(start: number, length: number, value: number): number | undefined {
    const inTheWay = this.overlapping(start, length)[0];
    if (inTheWay === undefined) this.entries.push({ start, end: start + length, value });
    this.entries.sort((a, b) => a.start - b.start);
    return inTheWay?.value;
  }

  remove(start: number): number | undefined {
    const index = this.entries.findIndex((entry) => entry.start === start);
    return index < 0 ? undefined : this.entries.splice(index, 1)[0]?.value;
  }

  overlapping(start: number, length: number): { start: number; end: number; value: number }[] {
    return this.entries.filter((entry) => entry.start < start + length && start < entry.end);
  }
}

describe(`random edits, seed ${SEED}`, () => {
  // Filling, then emptying, so that nodes split and join at every height; and a walk at a steady size.
  test.each([
    { name: 'two levels, as many inserts as removes', space: 2000, steps: 6000, inserts: () => 0.5 },
    { name: 'few numbers, many collisions', space: 60, steps: 4000, inserts: () => 0.5 },
    {
      name: 'a tree of three levels',
      space: 40_000,
      steps: 6000,
      inserts: (step: number) => (step < 3500 ? 0.95 : 0.05),
    },
  ])('agree with a sorted array: $name', ({ space, steps, inserts }) => {
    const random = new Random(SEED);
    const map = new IntervalMap<number>();
    const naive = new NaiveMap();
    for (let step = 0; step < steps; step++) {
      const start = random.below(space);
      const length = 1 + random.below(6);
      if (random.fraction() < inserts(step)) {
        expect(map.insert(start, length, step)?.value).toBe(naive.insert(start, length, step));
      } else {
        const chosen = naive.entries[random.below(naive.entries.length)]?.start ?? start;
        const removed = random.fraction() < 0.9 ? chosen : start;
        expect(map.remove(removed)?.value).toBe(naive.remove(removed));
      }
      const place = random.below(space);
      expect(map.at(place)?.value).toBe(naive.overlapping(place, 1)[0]?.value);
      expect(map.from(place)).toEqual(naive.entries.find((entry) => entry.start >= place));
      expect([...map.overlapping(place, 20)]).toEqual(naive.overlapping(place, 20));
      expect(map.size).toBe(naive.entries.length);
      if (step % 100 === 0) expect([...map]).toEqual(naive.entries);
    }
    expect([...map]).toEqual(naive.entries);
  });
});

test('100,000 ranges are found, walked and removed in any order', () => {
  const map = new IntervalMap<number>();
  const count = 100_000;
  // A step that shares no factor with the count visits every index once, out of order.
  for (let index = 0; index < count; index++) map.insert(((index * 7919) % count) * 3, 2, index);
  expect(map.size).toBe(count);
  expect(map.at(3 * 50_000 + 1)?.start).toBe(150_000);
  expect(map.at(3 * 50_000 + 2)).toBeUndefined();
  let previous = -1;
  let walked = 0;
  for (const { start } of map) {
    expect(start > previous).toBe(true);
    previous = start;
    walked++;
  }
  expect(walked).toBe(count);
  for (let index = 0; index < count; index++) map.remove(((index * 104_729) % count) * 3);
  expect([map.size, [...map]]).toEqual([0, []]);
});
