// Decoded code, by arena page. (First version: the interface.)

/**
 * The guest stores `size` bytes at arena address `address`, all in one page, whose only flag against it is CODE. Called
 * by the slow path of a store instead of the host's `before_write`, just before the store: what was decoded from these
 * bytes is dropped, the page stays flagged. Firmware mixes code, data and stack in one page all the time.
 */
export function codeStored(address: usize, size: u32): void {}
