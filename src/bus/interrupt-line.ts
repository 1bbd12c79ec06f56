/** A wire from a device to an interrupt controller. Setting it to the level it has changes nothing. */
export interface InterruptLine {
  set(asserted: boolean): void;
}

export const unconnectedLine: InterruptLine = { set() {} };
