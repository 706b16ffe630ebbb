// States in words. The browser extension has the same file.

const STATES = {
  stopped: "stopped",
  waiting: "waiting",
  preparing: "preparing",
  starting: "starting",
  ready: "ready",
  unhealthy: "unhealthy",
  backoff: "restarting soon",
  stopping: "stopping",
  completed: "done",
  failed: "failed",
  degraded: "in trouble",
};

export const stateInWords = (state) => STATES[state] ?? state;

// How a state looks: good, bad, moving, resting.
export function mood(state) {
  if (state === "ready" || state === "completed") return "good";
  if (["failed", "unhealthy", "backoff", "degraded"].includes(state)) return "bad";
  return state === "stopped" ? "resting" : "moving";
}

// Whether a service does nothing and could be started.
export const atRest = (state) => ["stopped", "completed", "failed"].includes(state);
