/**
 * Whether cases that last for minutes last as long as they say, as with `POSTERN_TEST_FULL=1`. Otherwise they are scaled
 * down to seconds.
 */
export const isFullRun = process.env.POSTERN_TEST_FULL === '1';
