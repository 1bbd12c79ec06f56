import type { Problem } from '../../control/index.ts';
import { PROBLEM_TYPE, PROBLEMS, type ProblemKind } from '../../control/problem-kind.ts';

/** A field of a request that is wrong. */
export type FieldError = NonNullable<Problem['errors']>[number];

/** A request cannot be carried out. It becomes the answer: a problem document of RFC 9457. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly kind: ProblemKind;
  readonly errors: readonly FieldError[];

  constructor(kind: ProblemKind, detail: string, errors: readonly FieldError[] = []) {
    super(detail);
    this.kind = kind;
    this.errors = errors;
  }

  get status(): number {
    return PROBLEMS[this.kind].status;
  }

  toJSON(): Problem {
    const { status, title } = PROBLEMS[this.kind];
    const { kind, message, errors } = this;
    return {
      type: `${PROBLEM_TYPE}${kind}`,
      title,
      status,
      detail: message,
      ...(errors.length === 0 ? {} : { errors: [...errors] }),
    };
  }
}

/** One field is wrong. */
export function badField(
  where: FieldError['in'],
  field: string,
  detail: string,
  kind: ProblemKind = 'bad-request',
): ProblemError {
  return new ProblemError(kind, `${where} field '${field}': ${detail}`, [{ in: where, field, detail }]);
}
