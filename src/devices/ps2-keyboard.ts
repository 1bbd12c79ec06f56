import type { Clock, Nanoseconds, Timer } from '../base/clock.ts';
import { MILLISECOND, SECOND } from '../base/units.ts';
import {
  BREAK_PREFIX,
  breakCodes,
  type Key,
  LONGEST_BREAK,
  makeCodes,
  type ScanCodeSet,
  set3Code,
} from './scan-code.ts';

/** Answers of a PS/2 device. */
const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
const IDENTITY: readonly number[] = [0xab, 0x83];

/** No argument is this large, so that a command can always be told from one. */
const FIRST_COMMAND = 0xed;

/** What becomes of a key of set 3 after its first code. */
interface KeyType {
  readonly repeats: boolean;
  readonly breaks: boolean;
}

/** Commands F7h-FAh set the type of all keys, FBh-FDh that of the keys that follow. */
const KEY_TYPES: readonly KeyType[] = [
  { repeats: true, breaks: false },
  { repeats: false, breaks: true },
  { repeats: false, breaks: false },
  { repeats: true, breaks: true },
];
const EVERYTHING: KeyType = { repeats: true, breaks: true };

/** Bytes of scan codes that wait for the guest. Real keyboards have 16; a host may paste text. */
const CAPACITY = 256;

/** Half a second, then 10.9 a second. */
const DEFAULT_TYPEMATIC = 0x2b;

/** IBM's formula for bits 4-0 of a typematic byte: (8 + A) x 2^B / 240 of a second. */
function repeatPeriod(typematic: number): Nanoseconds {
  return Math.round(((8 + (typematic & 7)) * 2 ** ((typematic >> 3) & 3) * SECOND) / 240);
}

/** Bits 6-5: a quarter of a second to a whole one. */
function repeatDelay(typematic: number): Nanoseconds {
  return (((typematic >> 5) & 3) + 1) * 250 * MILLISECOND;
}

/**
 * A 101/102-key keyboard on one PS/2 port. It repeats a held key by itself, so hosts leave out repeats of their own.
 *
 * The queue takes a press only while there is room for it and for the release of every held key: a sequence is queued
 * whole or not at all, and no key gets stuck because its release found no room.
 */
export class Ps2Keyboard {
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #repeat: Timer;

  readonly #replies: number[] = [];
  readonly #codes: number[] = [];
  /** A prefix has been sent; the rest of the sequence comes before any reply. */
  #amidSequence = false;
  #lastSent = 0;

  #scanning = true;
  #set: ScanCodeSet = 2;
  #leds = 0;
  #typematic = DEFAULT_TYPEMATIC;
  #allKeys: KeyType = EVERYTHING;
  readonly #keyTypes: Map<number, KeyType> = new Map();
  /** The command that waits for its argument, or 0. */
  #expecting = 0;

  /** Keys that are down and whose press was sent. */
  readonly #held: Set<Key> = new Set();
  #repeating: Key | undefined;

  /** `changed` is told when there may be something to take. */
  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
    this.#repeat = clock.timer(() => this.#repeatKey());
  }

  /** Bit 0 scroll lock, 1 num lock, 2 caps lock. */
  get leds(): number {
    return this.#leds;
  }

  /** A key goes down. False when it was dropped: no room, or the guest has turned the keyboard off. */
  press(key: Key): boolean {
    if (this.#held.has(key)) return true;
    if (!this.#scanning || !this.#enqueueMake(key, this.#held.size + 1)) return false;
    if (key !== 'Pause') this.#held.add(key);
    this.#startRepeat(key);
    this.#changed();
    return true;
  }

  release(key: Key): void {
    if (!this.#held.delete(key)) return;
    if (this.#repeating === key) this.#stopRepeat();
    if (!this.#scanning || !this.#typeOf(key).breaks) return;
    this.#codes.push(...breakCodes(this.#set, key));
    this.#changed();
  }

  /** For a host that loses the focus and will not see the keys come up. */
  releaseAll(): void {
    for (const key of this.#held) this.release(key);
  }

  /** Power-on: set 2, scanning, default repeat, lights off, nothing queued. */
  reset(): void {
    this.#replies.length = 0;
    this.#expecting = 0;
    this.#leds = 0;
    this.#setDefaults();
    this.#scanning = true;
  }

  get pending(): boolean {
    return this.#replies.length > 0 || this.#codes.length > 0;
  }

  /** The next byte on its way to the controller. Replies go before scan codes, but not into a sequence. */
  take(): number {
    const fromCodes = this.#replies.length === 0 || (this.#amidSequence && this.#codes.length > 0);
    const byte = (fromCodes ? this.#codes : this.#replies).shift() ?? 0;
    this.#amidSequence = fromCodes && (byte === 0xe0 || byte === 0xe1 || byte === BREAK_PREFIX);
    this.#lastSent = byte;
    return byte;
  }

  /** A byte from the guest. A new command ends what an earlier one still had to say. */
  write(byte: number): void {
    const expecting = this.#expecting;
    this.#replies.length = 0;
    this.#expecting = 0;
    if (expecting !== 0 && byte < FIRST_COMMAND) this.#argument(expecting, byte);
    else this.#command(byte);
    this.#changed();
  }

  #command(byte: number): void {
    if (byte === 0xee || byte < FIRST_COMMAND) return void this.#replies.push(byte === 0xee ? 0xee : RESEND);
    if (byte === 0xfe) return void this.#replies.push(this.#lastSent);
    if (byte === 0xef || byte === 0xf1) return void this.#replies.push(RESEND);
    this.#replies.push(ACKNOWLEDGE);
    if (byte >= 0xf7 && byte <= 0xfa) this.#allKeys = KEY_TYPES[byte - 0xf7] ?? EVERYTHING;
    else this.#act(byte);
  }

  /** The commands that do more than answer. */
  #act(byte: number): void {
    switch (byte) {
      case 0xf2: // identify
        this.#replies.push(...IDENTITY);
        return;
      case 0xf4: // enable
        this.#clear();
        this.#scanning = true;
        return;
      case 0xf5: // defaults, and disable
        this.#setDefaults();
        this.#scanning = false;
        return;
      case 0xf6: // defaults
        this.#setDefaults();
        return;
      case 0xff: // reset
        this.reset();
        this.#replies.push(ACKNOWLEDGE, SELF_TEST_PASSED);
        return;
      default: // ED lights, F0 scan code set, F3 typematic, FB-FD key types
        this.#expecting = byte;
    }
  }

  #argument(command: number, byte: number): void {
    this.#replies.push(ACKNOWLEDGE);
    if (command === 0xed) this.#leds = byte & 7;
    else if (command === 0xf3) this.#typematic = byte & 0x7f;
    else if (command === 0xf0) this.#chooseSet(byte);
    else {
      this.#keyTypes.set(byte, KEY_TYPES[command - 0xfb] ?? EVERYTHING);
      this.#expecting = command; // More keys may follow.
    }
  }

  /** 0 asks which set is in use. */
  #chooseSet(set: number): void {
    if (set === 0) this.#replies.push(this.#set);
    else if (set === 1 || set === 2 || set === 3) {
      this.#clear();
      this.#set = set;
    } else this.#replies[0] = RESEND;
  }

  #setDefaults(): void {
    this.#clear();
    this.#set = 2;
    this.#typematic = DEFAULT_TYPEMATIC;
    this.#allKeys = EVERYTHING;
    this.#keyTypes.clear();
  }

  #clear(): void {
    this.#codes.length = 0;
    this.#amidSequence = false;
    this.#held.clear();
    this.#stopRepeat();
  }

  /** Queues a press if there stays room for `releases` releases. */
  #enqueueMake(key: Key, releases: number): boolean {
    const codes = makeCodes(this.#set, key);
    if (this.#codes.length + codes.length + releases * LONGEST_BREAK > CAPACITY) return false;
    this.#codes.push(...codes);
    return true;
  }

  #typeOf(key: Key): KeyType {
    return this.#set === 3 ? (this.#keyTypes.get(set3Code(key)) ?? this.#allKeys) : EVERYTHING;
  }

  #startRepeat(key: Key): void {
    this.#stopRepeat();
    if (key === 'Pause' || !this.#typeOf(key).repeats) return;
    this.#repeating = key;
    this.#repeat.arm(this.#clock.now() + repeatDelay(this.#typematic));
  }

  #stopRepeat(): void {
    this.#repeating = undefined;
    this.#repeat.disarm();
  }

  #repeatKey(): void {
    if (this.#repeating === undefined) return;
    this.#repeat.arm(this.#clock.now() + repeatPeriod(this.#typematic));
    if (this.#enqueueMake(this.#repeating, this.#held.size)) this.#changed();
  }
}
