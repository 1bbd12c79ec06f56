import { TimerQueue, type Nanoseconds } from '../base/clock.ts';
import { Lifetimes } from '../base/disposable.ts';
import { Emitter } from '../base/emitter.ts';
import { MmioBus } from '../bus/mmio-bus.ts';
import { PortBus } from '../bus/port-bus.ts';
import type { Engine, EngineHost } from '../cpu/index.ts';
import { WasmEngine } from '../cpu/x86/engine.ts';
import { DEBUG_EXIT_PORTS, DebugExit } from '../devices/debug-exit.ts';
import type { Picture, Scan } from '../devices/framebuffer.ts';
import type { LocalApic } from '../devices/local-apic.ts';
import type { Waiting } from '../devices/pci/placement.ts';
import { gpa, GuestMemory, type Segment } from '../memory/index.ts';
import { createArena, type MakeArena } from './arena.ts';
import { ConfigError } from './config-error.ts';
import { checkConfig, type MachineConfig } from './config.ts';
import type { Connections } from './connections.ts';
import { describeIsaDevices, describePciDevices, type DeviceFacts } from './device-facts.ts';
import { DirectBoot } from './direct-boot.ts';
import { firmwareConfig } from './firmware-files.ts';
import { GuestAction } from './guest-action.ts';
import { HostTime } from './host-time.ts';
import { Interrupts } from './interrupts.ts';
import { IsaDevices } from './isa-devices.ts';
import { ADDRESS_BITS, CHIPSET_END, CHIPSET_START, HIGH_RAM_START, ramLayout, sysmemLayout } from './layout.ts';
import type { LifeEvent, LifeState } from './life-event.ts';
import { PciDevices } from './pci-devices.ts';
import { runLoop, type Pace, type Requests, type Stop } from './run-loop.ts';
import { SerialInput } from './serial-input.ts';
import { instructionTime, type TimeSource } from './time-source.ts';

/** What a machine is given of the world outside. */
export interface Surroundings {
  /** A monotonic clock. */
  readonly hostTime: () => Nanoseconds;
  /** Unix seconds. */
  readonly wallClock: () => number;
  readonly serial: (byte: number) => void;
  readonly debugConsole: (byte: number) => void;
  /** Told of each change of the flash with UEFI's variables, with all its bytes, which go on changing. */
  readonly variablesChanged?: ((bytes: Uint8Array) => void) | undefined;
  /** Where segments get their bytes; memory of this process alone when absent. */
  readonly makeArena?: MakeArena | undefined;
}

/** The date on which every deterministic machine is switched on: 1 January 2000. */
const DETERMINISTIC_DATE = 946_684_800;

/** A PC: guest memory, an engine, the devices and the time that they share. */
export class Machine implements Disposable {
  readonly name: string;
  readonly memory: GuestMemory;
  readonly engine: Engine;
  /** What the guest is doing to a bus; says why the map changes. */
  readonly action: GuestAction = new GuestAction();
  readonly ports: PortBus = new PortBus();
  readonly mmio: MmioBus = new MmioBus();
  /** Told of each pause, resume, reset and stop, once it has happened. */
  readonly life: Emitter<LifeEvent> = new Emitter();
  /** Told of each address that the guest gives a PCI device and that cannot be had: the device waits for it. */
  readonly refusals: Emitter<Waiting> = new Emitter();
  readonly #lifetimes: Lifetimes = new Lifetimes();
  readonly #time: TimeSource;
  readonly #timers: TimerQueue;
  readonly interrupts: Interrupts;
  readonly #isa: IsaDevices;
  readonly #pci: PciDevices;
  readonly #serialInput: SerialInput;
  readonly #directBoot: DirectBoot | undefined;
  #exitStatus: number | undefined;
  readonly #requests: Requests = { stop: undefined, reset: false, paused: false };
  #resets = 0;

  /** Throws ConfigError, or a device's own error, for a configuration that cannot be built. */
  constructor(config: MachineConfig, surroundings: Surroundings) {
    checkConfig(config);
    this.name = config.name;
    // Before anything is built: most kernels that cannot be started are refused here.
    this.#directBoot = directBoot(config);
    const store = this.#lifetimes.own(createArena(config, surroundings.makeArena));
    this.memory = this.#lifetimes.own(
      new GuestMemory({ store, addressBits: ADDRESS_BITS, wired: config.wired === true }),
    );
    const ram = this.#createRam(config.memory);
    this.engine = this.#lifetimes.own(new WasmEngine({ memory: this.memory, store, host: this.#engineHost() }));
    this.#time = this.#createTime(config, surroundings);
    this.#timers = new TimerQueue(this.#time.now, () => this.engine.requestExit());
    const connections = this.#connections(config, surroundings);
    const { memory, ports, mmio } = this;
    const layout = ramLayout(config.memory);
    const interrupts = new Interrupts({ connections, mmio });
    this.interrupts = interrupts;
    // Before there is such a device there is no firmware that asks.
    let pci: PciDevices | undefined;
    const fwCfg = firmwareConfig(config, layout, memory, () => pci?.powerManagement.base);
    this.#isa = new IsaDevices({ ports, ram: layout, firmwareConfig: fwCfg, connections, interrupts });
    const refused = (waiting: Waiting): void => this.refusals.emit(waiting);
    pci = new PciDevices({ config, memory, ram, ramLayout: layout, ports, mmio, interrupts, connections, refused });
    this.#pci = pci;
    this.#serialInput = new SerialInput(this.#isa.uart, this.#timers);
    if (config.debugExit !== undefined) this.#addDebugExit(config.debugExit);
    this.#directBoot?.apply(this);
  }

  /** Machine time. */
  now(): Nanoseconds {
    return this.#time.now();
  }

  /** Runs until something asks for a stop. It can be run again after that. */
  async run(pace: Pace): Promise<Stop> {
    const { engine } = this;
    this.#requests.stop = undefined;
    const stop = await runLoop(
      { engine, timers: this.#timers, time: this.#time, requests: this.#requests, reset: () => this.reset() },
      pace,
    );
    this.life.emit({ kind: 'state', state: 'stopped', reason: stop });
    return stop;
  }

  get state(): LifeState {
    if (this.#requests.stop !== undefined) return 'stopped';
    return this.#requests.paused ? 'paused' : 'running';
  }

  /** How often the machine was reset, by whomever. */
  get resets(): number {
    return this.#resets;
  }

  /** From the next slice on the guest neither runs nor notices the time that passes. */
  pause(): void {
    if (this.#requests.paused) return;
    this.#requests.paused = true;
    this.#time.pause();
    this.engine.requestExit();
    this.life.emit({ kind: 'state', state: 'paused' });
  }

  /** The pace that the machine runs at has to be woken as well. */
  resume(): void {
    if (!this.#requests.paused) return;
    this.#requests.paused = false;
    this.#time.resume();
    this.life.emit({ kind: 'state', state: 'running' });
  }

  /** A guest that has ACPI on shuts itself down; another does not notice. */
  pressPowerButton(): void {
    this.#pci.powerManagement.pressPowerButton();
  }

  /** Ends `run` before the next slice. */
  stop(reason: Stop): void {
    this.#requests.stop ??= reason;
    this.engine.requestExit();
  }

  /** What the guest told the exit device, once that has stopped the machine. */
  get exitStatus(): number | undefined {
    return this.#exitStatus;
  }

  /** How the kernel was started, when there was no firmware. */
  get bootProtocol(): string | undefined {
    return this.#directBoot?.plan.protocol;
  }

  /** Ends `run` at a moment of machine time. */
  stopAt(deadline: Nanoseconds): void {
    this.#timers.timer(() => this.stop('time-limit')).arm(deadline);
  }

  /** The reset button: RAM keeps its bytes and its place, device memory its bytes alone. Not while a slice runs. */
  reset(): void {
    this.memory.reset();
    this.engine.setA20(true);
    this.#isa.reset();
    this.#pci.reset();
    this.engine.reset();
    this.#directBoot?.apply(this);
    this.#resets++;
    this.life.emit({ kind: 'reset' });
  }

  /** Bytes that arrive at the serial port. The guest takes them when it has room. */
  serialInput(bytes: Uint8Array): void {
    this.#serialInput.push(bytes);
  }

  /** Bytes for the serial port that the guest has not taken yet. */
  get serialInputWaiting(): number {
    return this.#serialInput.length;
  }

  /** What is on the board: the devices whose ports never move, then those on PCI, which say where the guest put them. */
  devices(): DeviceFacts[] {
    return [...describeIsaDevices(), ...describePciDevices(this.#pci.bus)];
  }

  /** What the display shows, line by line, if it shows anything. */
  scan(): Scan | undefined {
    return this.#pci.display?.scan();
  }

  /** What the display shows, if it shows anything. */
  screenshot(): Picture | undefined {
    return this.#pci.display?.snapshot();
  }

  [Symbol.dispose](): void {
    this.#lifetimes[Symbol.dispose]();
  }

  #createRam(size: number): Segment {
    const { below4GiB, above4GiB } = ramLayout(size);
    const segment = this.memory.createSegment({
      name: 'ram',
      kind: 'sysmem',
      length: size,
      layout: sysmemLayout(size),
    });
    const prot = 'rwx';
    this.memory.edit((edit) => {
      edit.map({ segment, gpa: gpa(0), length: CHIPSET_START, prot });
      if (below4GiB > CHIPSET_END) {
        edit.map({ segment, gpa: gpa(CHIPSET_END), offset: CHIPSET_END, length: below4GiB - CHIPSET_END, prot });
      }
      if (above4GiB > 0) {
        edit.map({ segment, gpa: gpa(HIGH_RAM_START), offset: below4GiB, length: above4GiB, prot });
      }
    });
    return segment;
  }

  #createTime({ deterministic }: MachineConfig, { hostTime }: Surroundings): TimeSource {
    const instructions = (): number => this.engine.instructions;
    if (deterministic === true) return instructionTime(instructions);
    return new HostTime({
      host: hostTime,
      instructions,
      due: () => this.engine.requestExit(),
      nextDeadline: () => this.#timers.nextDeadline,
    });
  }

  #connections({ deterministic }: MachineConfig, surroundings: Surroundings): Connections {
    const { serial, debugConsole, wallClock, variablesChanged } = surroundings;
    return {
      clock: this.#timers,
      wallClock: deterministic === true ? () => DETERMINISTIC_DATE : wallClock,
      interrupt: { set: (asserted) => this.engine.setInterruptLine(asserted) },
      nonMaskableInterrupt: () => this.engine.nonMaskableInterrupt(),
      timeOfTimestamp: (low, high) => this.engine.timeOfTimestamp(low, high),
      setA20: (enabled) => this.engine.setA20(enabled),
      setIgnoreFloatError: (ignored) => this.engine.setIgnoreFloatError(ignored),
      powerOff: () => this.stop('power-off'),
      requestReset: () => this.#requestReset(),
      serial: { transmit: serial, room: () => this.#serialInput.pump() },
      debugConsole,
      variablesChanged: (bytes) => variablesChanged?.(bytes),
    };
  }

  #addDebugExit(start: number): void {
    const length = DEBUG_EXIT_PORTS;
    if (start + length > 0x1_0000 || !this.ports.isFree(start, length)) {
      throw new ConfigError(`the exit device cannot be at port 0x${start.toString(16)}: something else is there`);
    }
    const exit = (status: number): void => {
      this.#exitStatus ??= status;
      this.stop('debug-exit');
    };
    this.ports.register({ start, length }, new DebugExit({ exit }).ports, 'exit device');
  }

  #engineHost(): EngineHost {
    const { ports, mmio, action } = this;
    const localApic = (): LocalApic => this.interrupts.localApic;
    return {
      // For the MSRs and CR8; made after the engine, which does not ask before it runs.
      get apic() {
        return localApic();
      },
      portRead: (port, size) => ports.read(port, size),
      portWrite: (port, size, value) => {
        action.portWrite(port, size, value);
        ports.write(port, size, value);
        action.done();
      },
      mmioRead: (address, size) => mmio.read(address, size),
      mmioWrite: (address, size, value) => {
        action.mmioWrite(address, size, value);
        mmio.write(address, size, value);
        action.done();
      },
      acknowledgeInterrupt: () => localApic().acknowledge(),
      floatError: (asserted) => this.#isa.coprocessorError.setError(asserted),
      timestamp: () => Math.floor(this.#time.now()),
    };
  }

  /** Carried out between slices, when no instruction is in flight. */
  #requestReset(): void {
    this.#requests.reset = true;
    this.engine.requestExit();
  }
}

function directBoot({ boot, memory }: MachineConfig): DirectBoot | undefined {
  return boot === undefined || boot.startedBy === 'firmware' ? undefined : new DirectBoot(boot, ramLayout(memory));
}
