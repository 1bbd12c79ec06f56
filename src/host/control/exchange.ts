import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TurnShare } from './turn-share.ts';

/** A request and the answer to it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly share: TurnShare;
}

/** Does a piece of work in the requests' share of time, and sends what it gives. Waits while the reader is behind. */
export async function send({ response, share }: Exchange, piece: () => Uint8Array | string): Promise<void> {
  if (await share.do(() => response.destroyed || response.write(piece()))) return;
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  response.once('close', leave);
  try {
    if (!response.destroyed) await once(response, 'drain', { signal: gone.signal });
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  } finally {
    response.off('close', leave);
  }
}
