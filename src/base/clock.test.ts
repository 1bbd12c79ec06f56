import { expect, test } from 'vitest';
import { ManualClock, TimerQueue } from './clock.ts';

test('a timer fires when its deadline comes, not before', () => {
  const clock = new ManualClock();
  const fired: number[] = [];
  clock.timer(() => fired.push(clock.now())).arm(10);
  clock.advance(9);
  expect(fired).toEqual([]);
  clock.advance(1);
  expect(fired).toEqual([10]);
});

test('timers fire by deadline, and those of one deadline in the order in which they were armed', () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  const armed = (name: string, deadline: number): void => clock.timer(() => fired.push(name)).arm(deadline);
  armed('late', 20);
  armed('first', 10);
  armed('second', 10);
  clock.advance(30);
  expect(fired).toEqual(['first', 'second', 'late']);
});

test('each timer sees the time of its own deadline', () => {
  const clock = new ManualClock();
  const seen: number[] = [];
  for (const deadline of [30, 10, 20]) clock.timer(() => seen.push(clock.now())).arm(deadline);
  clock.advance(100);
  expect([...seen, clock.now()]).toEqual([10, 20, 30, 100]);
});

test('a timer fires once per arming', () => {
  const clock = new ManualClock();
  let fired = 0;
  const timer = clock.timer(() => fired++);
  timer.arm(1);
  clock.advance(5);
  clock.advance(5);
  expect([fired, timer.deadline]).toEqual([1, Infinity]);
});

test('arming again moves the deadline', () => {
  const clock = new ManualClock();
  let fired = 0;
  const timer = clock.timer(() => fired++);
  timer.arm(1);
  timer.arm(50);
  clock.advance(10);
  expect([fired, clock.nextDeadline]).toEqual([0, 50]);
});

test('a disarmed timer does not fire, and does not count as the next deadline', () => {
  const clock = new ManualClock();
  let fired = 0;
  const timer = clock.timer(() => fired++);
  timer.arm(1);
  timer.disarm();
  clock.advance(10);
  expect([fired, clock.nextDeadline]).toEqual([0, Infinity]);
});

test('a periodic timer that arms itself ahead fires at every period', () => {
  const clock = new ManualClock();
  const fired: number[] = [];
  const timer = clock.timer(() => {
    fired.push(clock.now());
    timer.arm(clock.now() + 10);
  });
  timer.arm(10);
  clock.advance(35);
  expect(fired).toEqual([10, 20, 30]);
});

test('a timer that arms itself into the past does not keep fireDue from returning', () => {
  let now = 100;
  const queue = new TimerQueue(() => now);
  let fired = 0;
  const timer = queue.timer(() => {
    fired++;
    timer.arm(0);
  });
  timer.arm(50);
  queue.fireDue();
  expect(fired).toBe(1);
  now = 101;
  queue.fireDue();
  expect(fired).toBe(2);
});

test('the owner of a queue is told of a deadline that became the nearest, and of no other', () => {
  let told = 0;
  const queue = new TimerQueue(
    () => 0,
    () => told++,
  );
  queue.timer(() => {}).arm(10);
  queue.timer(() => {}).arm(20);
  expect(told).toBe(1);
  queue.timer(() => {}).arm(5);
  expect(told).toBe(2);
});
