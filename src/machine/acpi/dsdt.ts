import { HPET_PAGE } from '../../devices/hpet.ts';
import { CONFIG_PORTS, IRQ, PCI_IRQS, pciWindows, PORTS, SLOT, type RamLayout } from '../layout.ts';
import {
  and,
  argument,
  byteFields,
  configRegion,
  device,
  dwordField,
  eisaId,
  give,
  integer,
  method,
  name,
  or,
  pack,
  path,
  scope,
  store,
  when,
  type Aml,
} from './aml.ts';
import { addressSpace, fixedMemory, interrupts, INTERRUPT_OFFSET, irq, ports, template } from './resource.ts';

const SLOTS = 32;
const PINS = 4;
const PIRQS = 4;
/** The south bridge's routing registers, and the bit of each that turns it off. */
const ROUTES = 0x60;
const ROUTE_OFF = 0x80;
/** _STA: present, enabled, shown, working; without the bit "enabled". */
const WORKING = 0x0f;
const NOT_ENABLED = 0x0d;
const ALL_FUNCTIONS = 0xffff;

/**
 * The program of the differentiated table: PCI bus 0 with its windows as the layout has them, the way of its
 * interrupts through the south bridge, and the devices that no bus can enumerate.
 */
export function dsdtProgram(ram: RamLayout): Aml {
  return [
    ...name('\\_S5', pack(integer(0), integer(0), integer(0), integer(0))),
    ...scope('\\_SB', pciRoot(ram), ...[0, 1, 2, 3].map(link), systemLink(), hpet()),
  ];
}

function pciRoot(ram: RamLayout): Aml {
  return device(
    'PCI0',
    name('_HID', eisaId('PNP0A03')),
    name('_UID', integer(0)),
    name('_BBN', integer(0)),
    name('_CRS', template(...bridgeResources(ram))),
    name('_PRT', pack(...routing())),
    isaBridge(),
  );
}

/** Buses, ports but those of configuration space, which are the bridge's own, and memory. */
function bridgeResources(ram: RamLayout): Aml[] {
  const { start, length } = CONFIG_PORTS;
  const [low, high] = pciWindows(ram);
  const resources = [
    addressSpace('buses', 2, 0, 256),
    ports(start, length),
    addressSpace('ports', 2, 0, start),
    addressSpace('ports', 2, start + length, 0x1_0000 - start - length),
  ];
  if (low !== undefined) resources.push(addressSpace('memory', 4, low.start, low.end - low.start));
  if (high !== undefined) resources.push(addressSpace('memory', 8, high.start, high.end - high.start));
  return resources;
}

/** Pin p of slot s leads to PIRQ (s + p - 1) mod 4, p from 1; but power management has the system control interrupt. */
function routing(): Aml[] {
  return Array.from({ length: (SLOTS - 1) * PINS }, (_, index) => {
    const slot = 1 + Math.floor(index / PINS);
    const pin = index % PINS;
    const isSystem = slot === SLOT.southBridge && pin === 0;
    const source = isSystem ? 'LNKS' : linkName((slot + pin) % PIRQS);
    return pack(integer(slot * 0x1_0000 + ALL_FUNCTIONS), integer(pin), path(source), integer(0));
  });
}

const linkName = (pirq: number): string => `LNK${'ABCD'[pirq]}`;
const route = (pirq: number): Aml => path(`\\_SB.PCI0.ISA.PRQ${pirq}`);

/** A PIRQ as a device that can be led to one of several interrupts, or to none. */
function link(pirq: number): Aml {
  return device(
    linkName(pirq),
    name('_HID', eisaId('PNP0C0F')),
    name('_UID', integer(pirq)),
    name('_PRS', template(interrupts(...PCI_IRQS))),
    method(
      '_STA',
      { args: 0 },
      when(and(route(pirq), integer(ROUTE_OFF)), give(integer(NOT_ENABLED))),
      give(integer(WORKING)),
    ),
    method('_DIS', { args: 0 }, or(route(pirq), integer(ROUTE_OFF), route(pirq))),
    method(
      '_CRS',
      { args: 0, serialized: true },
      name('BUF', template(interrupts(0))),
      dwordField(path('BUF'), INTERRUPT_OFFSET, 'IRQ'),
      and(route(pirq), integer(0x0f), path('IRQ')),
      give(path('BUF')),
    ),
    method(
      '_SRS',
      { args: 1, serialized: true },
      dwordField(argument(0), INTERRUPT_OFFSET, 'IRQ'),
      store(path('IRQ'), route(pirq)),
    ),
  );
}

/** The interrupt of power management, which goes nowhere else. */
function systemLink(): Aml {
  const only = template(interrupts(IRQ.sci));
  return device(
    'LNKS',
    name('_HID', eisaId('PNP0C0F')),
    name('_UID', integer(PIRQS)),
    name('_PRS', only),
    name('_CRS', only),
    name('_STA', integer(WORKING)),
    method('_DIS', { args: 0 }),
    method('_SRS', { args: 1 }),
  );
}

function isaBridge(): Aml {
  return device(
    'ISA',
    name('_ADR', integer(SLOT.southBridge * 0x1_0000)),
    configRegion('PIRQ', ROUTES, PIRQS),
    byteFields('PIRQ', 'PRQ0', 'PRQ1', 'PRQ2', 'PRQ3'),
    isaDevice('COM1', 'PNP0501', ports(PORTS.serial.start, PORTS.serial.length), irq(IRQ.serial)),
    isaDevice('RTC', 'PNP0B00', ports(PORTS.rtc.start, PORTS.rtc.length), irq(IRQ.rtc)),
    isaDevice(
      'KBD',
      'PNP0303',
      ports(PORTS.keyboardData.start, 1),
      ports(PORTS.keyboardCommand.start, 1),
      irq(IRQ.keyboard),
    ),
    isaDevice('MOU', 'PNP0F13', irq(IRQ.mouse)),
  );
}

function isaDevice(label: string, id: string, ...resources: Aml[]): Aml {
  return device(
    label,
    name('_HID', eisaId(id)),
    name('_UID', integer(1)),
    name('_STA', integer(WORKING)),
    name('_CRS', template(...resources)),
  );
}

function hpet(): Aml {
  return device(
    'HPET',
    name('_HID', eisaId('PNP0103')),
    name('_UID', integer(0)),
    name('_CRS', template(fixedMemory(HPET_PAGE.start, HPET_PAGE.length))),
  );
}
