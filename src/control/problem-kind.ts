/** Why a request was not carried out: an HTTP status and a title for each kind. (RFC 9457) */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request is malformed' },
  'no-such-route': { status: 404, title: 'There is no such resource' },
  'no-such-segment': { status: 404, title: 'There is no such segment' },
  'no-picture': { status: 404, title: 'The display shows nothing' },
  'method-not-allowed': { status: 405, title: 'The resource does not know this method' },
  'not-backed': { status: 409, title: 'Guest memory does not allow this access there' },
  'too-large': { status: 413, title: 'The request is too large' },
  'unsupported-media': { status: 415, title: 'The body is of an unknown media type' },
  'range-not-satisfiable': { status: 416, title: 'The range does not lie in what was asked for' },
  internal: { status: 500, title: 'skep has a defect' },
} as const;

export type ProblemKind = keyof typeof PROBLEMS;

export const PROBLEM_TYPE = 'urn:skep:problem:';
