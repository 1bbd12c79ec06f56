// What the engine asks of the world: the imports of module `host`. Any of them may re-enter the module's exports and
// change the memory map, so that no arena address survives a call.

// @ts-ignore: decorator
@external('host', 'port_read') export declare function portRead(port: u32, size: u32): u32;
// @ts-ignore: decorator
@external('host', 'port_write') export declare function portWrite(port: u32, size: u32, value: u32): void;
// @ts-ignore: decorator
@external('host', 'mmio_read') export declare function mmioRead(gpa: f64, size: u32): u32;
// @ts-ignore: decorator
@external('host', 'mmio_write') export declare function mmioWrite(gpa: f64, size: u32, value: u32): void;
/** Told before a store to a page whose flags forbid it for now; afterwards the flat entry is looked up again. */
// @ts-ignore: decorator
@external('host', 'before_write') export declare function beforeWrite(gpa: f64): void;
/** Told that code has been decoded from the page. */
// @ts-ignore: decorator
@external('host', 'code_page') export declare function markCodePage(gpa: f64): void;
// @ts-ignore: decorator
@external('host', 'acknowledge') export declare function acknowledge(): u32;
// @ts-ignore: decorator
@external('host', 'timestamp') export declare function timestamp(): f64;
/** The FERR# pin has changed. */
// @ts-ignore: decorator
@external('host', 'float_error') export declare function hostFloatError(asserted: u32): void;
/** RDMSR of one of the local APIC's registers. 1: the value is in the next two; 0: #GP(0); 2: there is no APIC. */
// @ts-ignore: decorator
@external('host', 'msr_read') export declare function hostMsrRead(msr: u32): u32;
// @ts-ignore: decorator
@external('host', 'msr_low') export declare function hostMsrLow(): u32;
// @ts-ignore: decorator
@external('host', 'msr_high') export declare function hostMsrHigh(): u32;
/** WRMSR of one of them; answers as `msr_read`. */
// @ts-ignore: decorator
@external('host', 'msr_write') export declare function hostMsrWrite(msr: u32, low: u32, high: u32): u32;
/** What `task_priority` answers when there is no APIC. */
export const NO_APIC: u32 = 0xff;
/** Tells the local APIC that the time-stamp counter has been written. */
// @ts-ignore: decorator
@external('host', 'timestamp_moved') export declare function hostTimestampMoved(): void;
/** CR8: the local APIC's task priority. */
// @ts-ignore: decorator
@external('host', 'task_priority') export declare function hostTaskPriority(): u32;
// @ts-ignore: decorator
@external('host', 'set_task_priority') export declare function setHostTaskPriority(value: u32): void;
