import { execFileSync } from 'node:child_process';

/** Everything that is not ignored, whoever runs the test. */
export function commitAll(directory: string, subject: string): void {
  const author = ['-c', 'user.name=Test', '-c', 'user.email=test@postern.test', '-c', 'commit.gpgsign=false'];
  execFileSync('git', ['-C', directory, 'add', '-A']);
  execFileSync('git', ['-C', directory, ...author, 'commit', '-q', '--allow-empty', '-m', subject]);
}
