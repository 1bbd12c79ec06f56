/** One event of a stream. */
export interface ServerSentEvent {
  readonly kind: string;
  readonly data: string;
}

/**
 * Takes a stream of server-sent events apart (HTML, 9.2.6), as far as skep sends them: lines end in LF, and of the fields
 * `event` and `data` matter.
 */
export async function* parseEvents(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent, void, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of pieces) {
    const blocks = (rest + decoder.decode(piece, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event !== undefined) yield event;
    }
  }
}

function parseBlock(block: string): ServerSentEvent | undefined {
  let kind = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) kind = line.slice('event: '.length);
    if (line.startsWith('data: ')) data.push(line.slice('data: '.length));
  }
  return data.length === 0 ? undefined : { kind, data: data.join('\n') };
}
