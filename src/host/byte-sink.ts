import { createFile } from './files.ts';

/** Where a guest's character device sends its bytes. */
export interface ByteSink extends Disposable {
  write(byte: number): void;
  /** Passes on what has been collected; called between slices of guest execution. */
  flush(): void;
}

const SIZE = 4096;

/** Collects bytes so that a guest's character costs an array store, not a system call. */
function collecting(pass: (bytes: Uint8Array) => void, end: () => void): ByteSink {
  const bytes = new Uint8Array(SIZE);
  let length = 0;
  const flush = (): void => {
    if (length === 0) return;
    const collected = bytes.slice(0, length);
    length = 0;
    pass(collected);
  };
  return {
    write(byte) {
      bytes[length] = byte;
      length += 1;
      if (length === SIZE) flush();
    },
    flush,
    [Symbol.dispose]() {
      try {
        flush();
      } finally {
        end();
      }
    },
  };
}

export function streamSink(stream: { write(bytes: Uint8Array): unknown }): ByteSink {
  return collecting(
    (bytes) => stream.write(bytes),
    () => {},
  );
}

export function fileSink(path: string): ByteSink {
  const file = createFile(path);
  return collecting(
    (bytes) => file.write(bytes),
    () => file[Symbol.dispose](),
  );
}

/** Hands on what has been collected, as one piece. */
export function collectingSink(pass: (bytes: Uint8Array) => void): ByteSink {
  return collecting(pass, () => {});
}

/** Sends every byte to two sinks. */
export function bothSinks(one: ByteSink, other: ByteSink): ByteSink {
  return {
    write(byte) {
      one.write(byte);
      other.write(byte);
    },
    flush() {
      one.flush();
      other.flush();
    },
    [Symbol.dispose]() {
      one[Symbol.dispose]();
      other[Symbol.dispose]();
    },
  };
}

export const nullSink: ByteSink = { write() {}, flush() {}, [Symbol.dispose]() {} };
