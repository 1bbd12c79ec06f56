import * as z from 'zod';
import { PROBLEM_TYPE, PROBLEMS } from './problem-kind.ts';

export const problemFacts = z
  .object({
    type: z.enum(Object.keys(PROBLEMS).map((kind) => `${PROBLEM_TYPE}${kind}`) as [string, ...string[]]),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('one sentence'),
    errors: z
      .array(z.object({ in: z.enum(['path', 'query', 'header', 'body']), field: z.string(), detail: z.string() }))
      .optional()
      .describe('the fields that are wrong'),
  })
  .meta({ id: 'Problem' });

export type Problem = z.infer<typeof problemFacts>;
