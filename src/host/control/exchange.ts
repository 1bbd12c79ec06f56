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
  await share.do(() => response.destroyed || response.write(piece()));
  // It may have been drained by now.
  if (response.writableNeedDrain && !response.destroyed) await drained(response);
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
