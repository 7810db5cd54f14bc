/** An expected failure of a deployment: its message says what is wrong and where, and is shown without a stack. */
export class DeployFailure extends Error {}
