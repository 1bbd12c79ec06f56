/** What a person asked for cannot be built. The message is one sentence that says what and why. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
