// Computes the text, title and color of the toolbar badge. Pure functions.

import { isRunning } from "./resolve.js";
import { stateText, toneOf } from "./shared/states.js";

// Background colors on which white text is readable.
const COLORS = {
  success: "#17723a",
  critical: "#b3261e",
  progress: "#8a5a00",
  neutral: "#5b6472",
  changed: "#b84a00",
};

const MAX_BADGE_LENGTH = 4;

// The badge for tabs that show no service: the number of running instances. `view` is null if no
// gateway responds.
export function generalBadge(view) {
  if (!view) return { text: "", title: "Portway: no gateway found", color: COLORS.neutral };
  const running = view.instances.filter(isRunning);
  const isHealthy = running.every(({ state }) => state !== "degraded");
  const count = `${running.length} ${running.length === 1 ? "instance" : "instances"} running`;
  return {
    text: running.length === 0 ? "" : String(running.length),
    title: `Portway: ${count}${isHealthy ? "" : ", services failing"}`,
    color: isHealthy ? COLORS.success : COLORS.critical,
  };
}

// The badge for a tab that shows a service: its branch, or a warning that the checkout changed.
export function serviceBadge({ instance, service }, changed) {
  const branch = instance.branch ? ` (${instance.branch})` : "";
  const title = `${service.name} of ${instance.name}${branch}: ${stateText(service.state)}`;
  if (changed === "checkout") return { text: "!", title: `Checkout changed: ${title}`, color: COLORS.changed };
  if (changed === "branch") return { text: "!", title: `Branch changed: ${title}`, color: COLORS.changed };
  return { text: shorten(instance.branch ?? instance.project), title, color: COLORS[toneOf(service.state)] };
}

// The start of the part after the last slash, which distinguishes most branches.
const shorten = (name) => name.split("/").at(-1).slice(0, MAX_BADGE_LENGTH);
