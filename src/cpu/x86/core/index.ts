// The module's exports.
export { materialize as flags, setFlags as set_flags } from './flags';
