/** Everything about a control socket that could grow without end, and where it ends. */
export const LIMITS = {
  /** Connections at once; one more is closed at once. */
  connections: 64,
  /** Bytes of a request's line and headers together; more gets 431. */
  headers: 16 * 1024,
  /** Characters of a request's target. */
  target: 2048,
  /** Bytes of a JSON body. */
  json: 64 * 1024,
  /** Bytes that are copied between two looks at the guest. */
  chunk: 64 * 1024,
  /** Rows of a list that are written between two looks at the guest. */
  rows: 256,
  /** Bytes that wait for a reader of events or of serial output before it is dropped. */
  backlog: 1024 * 1024,
  /** Bytes for the serial port that the guest may leave lying before the sender has to wait. */
  serialInput: 16 * 1024,
  /** Bytes of serial output that are kept for those who come late. */
  serialHistory: 64 * 1024,
  /** Milliseconds in which a request's headers, and the whole of a short body, have to arrive. */
  headersTimeout: 10_000,
  /** Milliseconds for which a connection may be idle between requests. */
  idleTimeout: 30_000,
} as const;
