/** An error that a state reports: `name` and `cause` as they appear in `Catch`, in `$states.errorOutput` and in the execution. */
export class StateError extends Error {
  readonly error: string;
  override readonly cause: string;
  /** The field whose expression failed, for `States.QueryEvaluationError`. */
  readonly location: string | undefined;

  constructor(error: string, cause: string, location?: string) {
    super(`${error}: ${cause}`);
    this.error = error;
    this.cause = cause;
    this.location = location;
  }
}

/** The strand was told to stop (StopExecution, a failed sibling, a machine time-out): no rule may handle this. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

const timeouts = ['States.Timeout', 'States.HeartbeatTimeout'];
const notCaughtByWildcards = ['States.DataLimitExceeded', 'States.Runtime'];

/**
 * Whether a rule's `ErrorEquals` names an error (AWS, "Handling errors in Step Functions workflows"):
 * `States.ALL` matches all but `States.DataLimitExceeded` and `States.Runtime`; `States.TaskFailed` all but time-outs
 * (and those two); `States.Timeout` also a missed heartbeat; `States.Runtime` is never matched.
 */
export function matches(errorEquals: readonly string[], error: string): boolean {
  if (error === 'States.Runtime') return false;
  return errorEquals.some((name) => {
    if (name === error) return true;
    if (name === 'States.ALL') return !notCaughtByWildcards.includes(error);
    if (name === 'States.TaskFailed') return !timeouts.includes(error) && !notCaughtByWildcards.includes(error);
    return name === 'States.Timeout' && error === 'States.HeartbeatTimeout';
  });
}
