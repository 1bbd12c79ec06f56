/** Whether tests run in their long forms: `npm run nightly` says so. */
export const IS_NIGHT: boolean = process.env.SKEP_NIGHTLY === '1';
