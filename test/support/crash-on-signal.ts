/**
 * Loaded into the processes of an mta under test by NODE_OPTIONS: what a defect would do, at a moment of the test's
 * choice. SIGUSR2 throws where nobody catches, SIGWINCH rejects where nobody listens.
 */
process.on('SIGUSR2', () => {
  throw new Error('thrown by the test');
});
process.on('SIGWINCH', () => {
  void Promise.reject(new Error('rejected by the test'));
});
