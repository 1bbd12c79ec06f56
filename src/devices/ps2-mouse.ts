const ACKNOWLEDGE = 0xfa;
const ERROR = 0xfe;
const SELF_TEST_PASSED = 0xaa;

/** Sample rates that, set one after the other, turn on the wheel and then buttons 4 and 5 (Microsoft's IntelliMouse). */
const UNLOCK_WHEEL: readonly number[] = [200, 100, 80];
const UNLOCK_BUTTONS: readonly number[] = [200, 200, 80];

const STANDARD = 0;
const WHEEL = 3;
const FIVE_BUTTONS = 4;

/** Bytes of packets that wait for the guest; movement beyond that adds up and comes later. */
const CAPACITY = 16;
/** What adds up is bounded too. */
const FARTHEST = 4096;

/** What scaling 2:1 makes of movements up to 5 counts; larger ones double. */
const SCALED: readonly number[] = [0, 1, 1, 3, 6, 9];

export interface MouseMovement {
  /** To the right, upwards, and the wheel towards the user, in counts. */
  readonly dx?: number;
  readonly dy?: number;
  readonly dz?: number;
  /** Those held after the movement: bit 0 left, 1 right, 2 middle, 3 and 4 at the side. As before if not given. */
  readonly buttons?: number;
}

/**
 * A PS/2 mouse on one port, after IBM's PS/2 technical reference "Mouse", with IntelliMouse's wheel and five buttons.
 * A packet:
 *
 *     byte 0   Y overflow, X overflow, Y sign, X sign, 1, middle, right, left
 *     byte 1   X movement, low 8 bits of two's complement
 *     byte 2   Y movement
 *     byte 3   only with a wheel: its movement; with five buttons in 4 bits, and the side buttons at bits 4 and 5
 *
 * The sample rate is remembered and answered, but packets go out as fast as the guest reads them.
 */
export class Ps2Mouse {
  readonly #changed: () => void;
  readonly #queue: number[] = [];
  #lastSent: readonly number[] = [];

  #identity = STANDARD;
  #sampleRate = 100;
  readonly #lastRates: [number, number, number] = [0, 0, 0];
  #resolution = 2;
  #doubled = false;
  #remote = false;
  #wrapping = false;
  #reporting = false;
  #expecting = 0;

  #dx = 0;
  #dy = 0;
  #dz = 0;
  #buttons = 0;
  #reportedButtons = 0;

  /** `changed` is told when there may be something to take. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  move({ dx = 0, dy = 0, dz = 0, buttons = this.#buttons }: MouseMovement): void {
    this.#dx = clamp(this.#dx + Math.trunc(dx), FARTHEST);
    this.#dy = clamp(this.#dy + Math.trunc(dy), FARTHEST);
    this.#dz = clamp(this.#dz + Math.trunc(dz), FARTHEST);
    this.#buttons = buttons & 0x1f;
    this.#report();
    this.#changed();
  }

  /** Power-on: standard mouse, 100 samples a second, 4 counts a millimetre, 1:1, stream mode, not reporting. */
  reset(): void {
    this.#queue.length = 0;
    this.#lastSent = [];
    this.#expecting = 0;
    this.#identity = STANDARD;
    this.#lastRates.fill(0);
    this.#wrapping = false;
    this.#setDefaults();
  }

  get pending(): boolean {
    return this.#queue.length > 0;
  }

  take(): number {
    const byte = this.#queue.shift() ?? 0;
    this.#report();
    return byte;
  }

  /** A byte from the guest. Whatever had not been sent yet is forgotten. */
  write(byte: number): void {
    const expecting = this.#expecting;
    this.#queue.length = 0;
    this.#expecting = 0;
    if (this.#wrapping && byte !== 0xec && byte !== 0xff) this.#send([byte]);
    else if (expecting !== 0) this.#argument(expecting, byte);
    else this.#command(byte);
    this.#changed();
  }

  #send(bytes: readonly number[]): void {
    this.#queue.push(...bytes);
    this.#lastSent = bytes;
  }

  #command(byte: number): void {
    switch (byte) {
      case 0xe6: // scaling 1:1
      case 0xe7: // scaling 2:1
        this.#doubled = byte === 0xe7;
        return this.#send([ACKNOWLEDGE]);
      case 0xe8: // resolution
      case 0xf3: // sample rate
        this.#expecting = byte;
        return this.#send([ACKNOWLEDGE]);
      case 0xe9: // status
        return this.#send([ACKNOWLEDGE, ...this.#status()]);
      case 0xeb: // read data
        return this.#send([ACKNOWLEDGE, ...this.#packet(false)]);
      case 0xf2: // identify
        return this.#send([ACKNOWLEDGE, this.#identity]);
      case 0xfe: // resend
        return void this.#queue.push(...this.#lastSent);
      case 0xff: // reset
        this.reset();
        return this.#send([ACKNOWLEDGE, SELF_TEST_PASSED, STANDARD]);
      default:
        return this.#changeMode(byte);
    }
  }

  /** Every mode change forgets movements, as the counters start afresh. */
  #changeMode(byte: number): void {
    this.#forget();
    switch (byte) {
      case 0xea: // stream mode
      case 0xf0: // remote mode
        this.#remote = byte === 0xf0;
        return this.#send([ACKNOWLEDGE]);
      case 0xec: // leave wrap mode
      case 0xee: // enter wrap mode
        this.#wrapping = byte === 0xee;
        return this.#send([ACKNOWLEDGE]);
      case 0xf4: // enable reporting
      case 0xf5: // disable reporting
        this.#reporting = byte === 0xf4;
        return this.#send([ACKNOWLEDGE]);
      case 0xf6: // defaults
        this.#setDefaults();
        return this.#send([ACKNOWLEDGE]);
      default:
        return this.#send([ERROR]);
    }
  }

  #argument(command: number, byte: number): void {
    if (command === 0xe8) this.#resolution = byte & 3;
    else this.#setSampleRate(byte);
    this.#send([ACKNOWLEDGE]);
  }

  #setSampleRate(rate: number): void {
    this.#sampleRate = rate;
    this.#lastRates.copyWithin(0, 1);
    this.#lastRates[2] = rate;
    const unlocks = (rates: readonly number[]): boolean => rates.every((each, i) => each === this.#lastRates[i]);
    if (unlocks(UNLOCK_WHEEL)) this.#identity = WHEEL;
    else if (this.#identity === WHEEL && unlocks(UNLOCK_BUTTONS)) this.#identity = FIVE_BUTTONS;
  }

  #setDefaults(): void {
    this.#sampleRate = 100;
    this.#resolution = 2;
    this.#doubled = false;
    this.#remote = false;
    this.#reporting = false;
    this.#forget();
  }

  #forget(): void {
    this.#dx = 0;
    this.#dy = 0;
    this.#dz = 0;
    this.#reportedButtons = this.#buttons;
  }

  /** Remote, reporting, 2:1, left, middle, right; resolution; sample rate. */
  #status(): readonly number[] {
    const buttons = ((this.#buttons & 1) << 2) | ((this.#buttons & 4) >> 1) | ((this.#buttons & 2) >> 1);
    const modes = (this.#remote ? 0x40 : 0) | (this.#reporting ? 0x20 : 0) | (this.#doubled ? 0x10 : 0);
    return [modes | buttons, this.#resolution, this.#sampleRate];
  }

  /** In stream mode, packets while there is something to tell and room to tell it. */
  #report(): void {
    if (!this.#reporting || this.#remote || this.#wrapping) return;
    while (this.#hasNews() && this.#queue.length + 4 <= CAPACITY) this.#send(this.#packet(true));
  }

  #hasNews(): boolean {
    const moved = this.#dx !== 0 || this.#dy !== 0 || (this.#identity !== STANDARD && this.#dz !== 0);
    return moved || this.#buttons !== this.#reportedButtons;
  }

  /** Takes as much movement as a packet holds. Scaling is for stream mode only. */
  #packet(stream: boolean): readonly number[] {
    const scale = stream && this.#doubled ? doubled : same;
    const farthest = stream && this.#doubled ? 127 : 255;
    const x = clamp(this.#dx, farthest);
    const y = clamp(this.#dy, farthest);
    this.#dx -= x;
    this.#dy -= y;
    this.#reportedButtons = this.#buttons;
    const [shownX, shownY] = [scale(x), scale(y)];
    const signs = (shownX < 0 ? 0x10 : 0) | (shownY < 0 ? 0x20 : 0);
    const packet = [0x08 | signs | (this.#buttons & 7), shownX & 0xff, shownY & 0xff];
    return this.#identity === STANDARD ? packet : [...packet, this.#wheelByte()];
  }

  #wheelByte(): number {
    const z = clamp(this.#dz, this.#identity === WHEEL ? 127 : 7);
    this.#dz -= z;
    return this.#identity === WHEEL ? z & 0xff : (z & 0x0f) | ((this.#buttons & 0x18) << 1);
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}

function same(value: number): number {
  return value;
}

function doubled(value: number): number {
  const size = Math.abs(value);
  return Math.sign(value) * (SCALED[size] ?? 2 * size);
}
