import { describe, expect, it } from 'vitest';

import { breakCodes, isKey, type Key, KEY_NAMES, LONGEST_BREAK, makeCodes, translate } from './scan-code.ts';

const hex = (codes: readonly number[]): string => codes.map((code) => code.toString(16).padStart(2, '0')).join(' ');

describe('scan codes', () => {
  it.each<[Key, string, string, string, string]>([
    ['Escape', '01', '81', '76', 'f0 76'],
    ['KeyA', '1e', '9e', '1c', 'f0 1c'],
    ['Enter', '1c', '9c', '5a', 'f0 5a'],
    ['NumpadEnter', 'e0 1c', 'e0 9c', 'e0 5a', 'e0 f0 5a'],
    ['F7', '41', 'c1', '83', 'f0 83'],
    ['F12', '58', 'd8', '07', 'f0 07'],
    ['ArrowUp', 'e0 48', 'e0 c8', 'e0 75', 'e0 f0 75'],
    ['Delete', 'e0 53', 'e0 d3', 'e0 71', 'e0 f0 71'],
    ['IntlBackslash', '56', 'd6', '61', 'f0 61'],
    ['MetaLeft', 'e0 5b', 'e0 db', 'e0 1f', 'e0 f0 1f'],
    ['PrintScreen', 'e0 2a e0 37', 'e0 b7 e0 aa', 'e0 12 e0 7c', 'e0 f0 7c e0 f0 12'],
    ['Pause', 'e1 1d 45 e1 9d c5', '', 'e1 14 77 e1 f0 14 f0 77', ''],
  ])('%s is %s / %s in set 1 and %s / %s in set 2', (key, make1, break1, make2, break2) => {
    const codes = [makeCodes(1, key), breakCodes(1, key), makeCodes(2, key), breakCodes(2, key)];
    expect(codes.map(hex)).toEqual([make1, break1, make2, break2]);
  });

  it.each([1, 2, 3] as const)('of set %i belong to one key each', (set) => {
    const makes = KEY_NAMES.map((key) => hex(makeCodes(set, key)));
    expect(new Set(makes).size).toBe(KEY_NAMES.length);
  });

  it('the row of letters is in set 1 the row of numbers that every PC programmer knows', () => {
    const row = ['KeyQ', 'KeyW', 'KeyE', 'KeyR', 'KeyT', 'KeyY', 'KeyU', 'KeyI', 'KeyO', 'KeyP'] as const;
    expect(row.map((key) => makeCodes(1, key)[0])).toEqual(row.map((_key, i) => 0x10 + i));
  });

  it('no release is longer than the room kept for it', () => {
    for (const key of KEY_NAMES) expect(breakCodes(2, key).length).toBeLessThanOrEqual(LONGEST_BREAK);
  });

  it('answers of the keyboard pass the translation unchanged', () => {
    for (const byte of [0xaa, 0xee, 0xfa, 0xfe, 0xe0, 0xe1, 0xab]) expect(translate(byte)).toBe(byte);
  });

  it('names are told from other strings', () => {
    expect([isKey('KeyA'), isKey('toString'), isKey('keya')]).toEqual([true, false, false]);
  });
});
