// Formats values as text.

// The time since `since` (milliseconds since the epoch), as "5 min" or "2 h 10 min".
export function age(since, now = Date.now()) {
  if (!since) return "";
  const seconds = Math.max(0, Math.round((now - since) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

export const percent = (value) => (value === undefined ? "…" : `${value.toFixed(value < 10 ? 1 : 0)} %`);

export function bytes(count) {
  const mebibytes = count / 1048576;
  if (mebibytes >= 1024) return `${(mebibytes / 1024).toFixed(1)} GiB`;
  return `${mebibytes < 10 ? mebibytes.toFixed(1) : Math.round(mebibytes)} MiB`;
}

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

// Whether a port that a service did not get is left to others, who may not be using it.
export const isReserved = ({ type }) => ["main_checkout", "other_user"].includes(type);

// Why a service did not get the port it requested.
export function displacementReason({ wanted, forced, holder, reason }) {
  if (reason.type === "excluded") return `Port ${wanted} is excluded: ${holder}`;
  const port = `${forced ? "Forced" : "Preferred"} port ${wanted}`;
  return isReserved(reason) ? `${port} is reserved for ${holder}` : `${port} is in use by ${holder}`;
}

export const dateTime = (time) => new Date(time).toLocaleString();

// The local time of a log line, to the millisecond.
export function clock(time) {
  const at = new Date(time);
  const pad = (number, width = 2) => String(number).padStart(width, "0");
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}

const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

// Removes terminal escape sequences and control characters.
export const plain = (text) => text.replace(ESCAPES, "").replace(CONTROLS, "");
