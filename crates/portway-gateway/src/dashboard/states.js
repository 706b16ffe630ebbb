// Labels and tones of states. The browser extension contains a copy of this file.

const LABELS = {
  stopped: "stopped",
  waiting: "waiting",
  preparing: "preparing",
  starting: "starting",
  ready: "ready",
  unhealthy: "unhealthy",
  backoff: "restarting soon",
  stopping: "stopping",
  completed: "completed",
  failed: "failed",
  degraded: "degraded",
};

// The state as it appears inside a sentence.
export const stateText = (state) => LABELS[state] ?? state;

// The state as a label of its own.
export function stateLabel(state) {
  const text = stateText(state);
  return text[0].toUpperCase() + text.slice(1);
}

// Selects the color of a state: success, critical, progress or neutral.
export function toneOf(state) {
  if (state === "ready" || state === "completed") return "success";
  if (["failed", "unhealthy", "backoff", "degraded"].includes(state)) return "critical";
  return state === "stopped" ? "neutral" : "progress";
}

// Whether the service has no running process and can be started.
export const isIdle = (state) => ["stopped", "completed", "failed"].includes(state);
