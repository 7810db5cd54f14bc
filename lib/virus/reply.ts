/** How the mta's plugin tells the worker that a message holds a virus: in the reply to the end of DATA. */

export const infected = { code: 550, enhanced: '5.7.1', text: 'The message holds a virus:' } as const;

/** @returns the signature's name; undefined: the reply is about something else */
export function readInfection(reply: string): string | undefined {
  return new RegExp(`^550 5\\.7\\.1 ${infected.text} ([\\w.:/+-]{1,100})$`).exec(reply)?.[1];
}
