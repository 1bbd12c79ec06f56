import { pipeline } from 'node:stream/promises';
import { crc32, createDeflate } from 'node:zlib';
import { LIMITS } from '../../control/index.ts';
import type { Scan } from '../../devices/framebuffer.ts';
import type { Exchange } from './exchange.ts';
import type { TurnShare } from './turn-share.ts';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Eight bits a sample, red, green and blue, the only compression and filter method, not interlaced. (PNG, 11.2.2) */
const FORMAT = Uint8Array.of(8, 2, 0, 0, 0);

/**
 * Sends a picture as PNG. Lines are decoded in the requests' share of time and compressed in Node's thread pool, so that
 * the guest goes on meanwhile; like a real monitor's, the picture is not of one moment.
 */
export async function answerPng({ response, share }: Exchange, scan: Scan): Promise<void> {
  response.writeHead(200, { 'content-type': 'image/png' });
  const chunks = async function* (compressed: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
    yield SIGNATURE;
    yield chunk('IHDR', header(scan));
    for await (const piece of compressed) yield chunk('IDAT', piece);
    yield chunk('IEND', new Uint8Array(0));
  };
  await pipeline(lines(scan, share), createDeflate({ level: 4 }), chunks, response);
}

/** Lines behind filter bytes of 0, some at a time. */
async function* lines(scan: Scan, share: TurnShare): AsyncGenerator<Uint8Array> {
  const { width, height } = scan;
  const atOnce = Math.max(1, Math.floor(LIMITS.chunk / (4 * width)));
  for (let first = 0; first < height; first += atOnce) {
    yield await share.do(() => decodeLines(scan, first, Math.min(height, first + atOnce)));
  }
}

function decodeLines(scan: Scan, first: number, end: number): Uint8Array {
  const { width } = scan;
  const line = new Uint8Array(4 * width);
  const decoded = new Uint8Array((end - first) * (1 + 3 * width));
  let to = 0;
  for (let at = first; at < end; at++) {
    scan.decode(at, line);
    to++;
    for (let from = 0; from < line.length; from += 4) {
      decoded[to++] = line[from]!;
      decoded[to++] = line[from + 1]!;
      decoded[to++] = line[from + 2]!;
    }
  }
  return decoded;
}

function header({ width, height }: Scan): Uint8Array {
  const bytes = Buffer.alloc(13);
  bytes.writeUInt32BE(width, 0);
  bytes.writeUInt32BE(height, 4);
  bytes.set(FORMAT, 8);
  return bytes;
}

/** Length, type, data, and a checksum of the last two. (PNG, 5.3) */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}
