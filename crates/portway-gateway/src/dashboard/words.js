// Values in words.

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

// Why a port is not the wanted one, as the command line says it.
export function displacedInWords({ wanted, forced, holder, reason }) {
  if (reason.type === "excluded") return `${wanted} is not given out: ${holder}`;
  const verb = reason.type === "main_checkout" ? "is left to" : "is taken by";
  return `${forced ? "forced" : "preferred"} ${wanted} ${verb} ${holder}`;
}

export const moment = (time) => new Date(time).toLocaleString();

// The time of a line, to the millisecond, in this place's own clock.
export function clock(time) {
  const at = new Date(time);
  const two = (number, width = 2) => String(number).padStart(width, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
}

// Text without what only terminals understand.
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

export const plain = (text) => text.replace(ESCAPES, "").replace(CONTROLS, "");
