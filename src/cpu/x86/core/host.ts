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
