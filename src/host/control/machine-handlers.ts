import { description, LIMITS, type DeviceFacts, type MachineFacts } from '../../control/index.ts';
import type { DeviceFacts as Device } from '../../machine/device-facts.ts';
import { REGISTER_NAMES } from '../../machine/inspect/register-names.ts';
import type { Machine } from '../../machine/machine.ts';
import { answerPng } from './png.ts';
import type { Exchange } from './exchange.ts';
import type { Controlled, Handlers } from './handler.ts';
import { mapRows } from './memory-facts.ts';
import { ProblemError } from './problem-error.ts';
import { readBytes } from './request.ts';
import type { SerialReader } from './serial-tap.ts';

/** Milliseconds after which a sender of serial input looks again whether the guest has taken some. */
const SERIAL_PATIENCE = 2;

export function machineFacts(machine: Machine): MachineFacts {
  const { name, memory, engine, ports, mmio, state, resets } = machine;
  return {
    name,
    pid: process.pid,
    state,
    memory: memory.segment('ram')?.length ?? 0,
    time: Math.floor(machine.now()),
    instructions: engine.instructions,
    resets,
    addressBits: memory.addressBits,
    unclaimed: {
      portReads: ports.unclaimedReads,
      portWrites: ports.unclaimedWrites,
      mmioReads: mmio.unclaimedReads,
      mmioWrites: mmio.unclaimedWrites,
    },
  };
}

/** Does something to the machine and tells how it is then. Handlers run between slices, when no instruction is in flight. */
function act(action: (machine: Machine) => void) {
  return ({ machine, wake }: Controlled): MachineFacts => {
    action(machine);
    wake();
    return machineFacts(machine);
  };
}

function deviceFacts(device: Device): DeviceFacts {
  if (device.bus === 'isa') return device;
  return { ...device, bars: device.bars.map((bar) => ({ ...bar, place: bar.place ?? null })) };
}

/** Sends serial output as it comes, until one side ends. */
function sendSerial({ response }: Exchange, serial: Controlled['serial'], replay: boolean): void {
  const reader: SerialReader = {
    take(bytes) {
      response.write(bytes);
      if (response.writableLength > LIMITS.backlog) response.destroy();
    },
    end: () => response.end(),
  };
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  response.flushHeaders();
  if (replay) reader.take(serial.history());
  const listening = serial.listen(reader);
  response.on('close', () => listening[Symbol.dispose]());
}

const later = (milliseconds: number): Promise<void> => new Promise((resume) => setTimeout(resume, milliseconds));

type MachineRoute = Exclude<
  keyof Handlers,
  `${string}${'Segment' | 'Gpa'}` | 'map' | 'segments' | 'gaps' | 'iommu' | 'at' | 'codeWritten'
>;

/** What is asked of the machine and its devices. */
export const MACHINE_HANDLERS: Pick<Handlers, MachineRoute> = {
  description: () => description(),
  machine: ({ machine }) => machineFacts(machine),
  registers: ({ machine: { engine } }) =>
    Object.fromEntries(REGISTER_NAMES.map((name) => [name, `0x${engine.register(name).toString(16)}`])),
  devices: ({ machine }) => mapRows(machine.devices(), deviceFacts),
  pause: act((machine) => machine.pause()),
  resume: act((machine) => machine.resume()),
  reset: act((machine) => machine.reset()),
  powerButton: act((machine) => machine.pressPowerButton()),
  stop: act((machine) => machine.stop('stopped')),

  events: ({ events }, { kinds, replay }, exchange) => events.attach(exchange, kinds, replay),

  async screenshot({ machine }, _parameters, exchange) {
    const scan = machine.scan();
    if (scan === undefined) throw new ProblemError('no-picture', 'the guest has not turned a display on');
    await answerPng(exchange, scan);
  },

  async serialOutput({ serial }, { replay }, exchange) {
    sendSerial(exchange, serial, replay);
    await Promise.resolve();
  },

  async serialInput({ machine, wake }, _parameters, exchange) {
    let written = 0;
    await readBytes(exchange, undefined, async (bytes) => {
      machine.serialInput(bytes.slice());
      wake();
      written += bytes.length;
      while (machine.serialInputWaiting > LIMITS.serialInput && !exchange.response.destroyed)
        await later(SERIAL_PATIENCE);
    });
    return { written };
  },
};
