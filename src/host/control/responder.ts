import { answerProblem } from './answer.ts';
import type { Exchange } from './exchange.ts';
import type { Controlled } from './handler.ts';
import { ProblemError } from './problem-error.ts';
import { dispatch } from './router.ts';

/** Answers a request, be it with what is wrong. */
export async function respond(controlled: Controlled, exchange: Exchange, isOver: () => boolean): Promise<void> {
  try {
    await exchange.share.do(() => dispatch(controlled, exchange));
  } catch (error) {
    // Nobody waits for the answer, or there is no machine left to ask.
    if (exchange.response.destroyed || isOver()) return;
    answerProblem(exchange, error instanceof ProblemError ? error : defect(error));
  }
}

/** What is nobody's fault but ours is told, and the machine goes on. */
function defect(error: unknown): ProblemError {
  process.stderr.write(`skep: control socket: ${error instanceof Error ? error.stack : String(error)}\n`);
  return new ProblemError('internal', error instanceof Error ? error.message : String(error));
}
