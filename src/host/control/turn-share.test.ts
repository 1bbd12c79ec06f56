import { describe, expect, test } from 'vitest';
import { TurnShare } from './turn-share.ts';

const spin = (milliseconds: number): void => {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
};

describe("the requests' share of a turn", () => {
  test('does pieces in order and gives back what they give', async () => {
    const share = new TurnShare();
    const order: number[] = [];
    const results = await Promise.all([1, 2, 3].map((number) => share.do(() => (order.push(number), number * 10))));
    expect(order).toEqual([1, 2, 3]);
    expect(results).toEqual([10, 20, 30]);
  });

  test('hands a failure to whoever asked for the piece, and to nobody else', async () => {
    const share = new TurnShare();
    const failing = share.do(() => {
      throw new Error('this one');
    });
    const other = share.do(() => 'fine');
    await expect(failing).rejects.toThrow('this one');
    expect(await other).toBe('fine');
  });

  test('does not do more than about a millisecond of work in one turn, however much there is', async () => {
    const share = new TurnShare();
    let turn = 0;
    let over = false;
    const turns: number[] = [];
    const count = (): void => {
      turn++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    const pieces = Array.from({ length: 20 }, () =>
      share.do(() => {
        spin(0.6);
        turns.push(turn);
      }),
    );
    await Promise.all(pieces);
    over = true;
    for (const one of new Set(turns)) expect(turns.filter((other) => other === one).length).toBeLessThanOrEqual(2);
  });

  test('lets one stream of pieces go on within a turn while there is time', async () => {
    const share = new TurnShare();
    let turn = 0;
    const seen = new Set<number>();
    const stop = setInterval(() => {}, 1000);
    const count = (): void => {
      turn++;
      if (turn < 1000) setImmediate(count);
    };
    setImmediate(count);
    for (let i = 0; i < 50; i++) await share.do(() => seen.add(turn));
    clearInterval(stop);
    expect(seen.size).toBeLessThan(25);
  });
});
