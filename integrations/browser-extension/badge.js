// What the badge says, as a value.

import { mood, stateInWords } from "./shared/states.js";
import { isRunning } from "./places.js";

// White is read well on each of them.
const COLOURS = {
  good: "#17723a",
  bad: "#b3261e",
  moving: "#8a5a00",
  resting: "#5b6472",
  changed: "#b84a00",
};

// The badge of every tab that shows no service: how many instances run. `view` is null where no
// gateway answers.
export function general(view) {
  if (!view) return { text: "", title: "Portway: no gateway answers", colour: COLOURS.resting };
  const running = view.instances.filter(isRunning);
  const isWell = running.every(({ state }) => state !== "degraded");
  const count = running.length === 1 ? "1 instance runs" : `${running.length} instances run`;
  return {
    text: running.length === 0 ? "" : String(running.length),
    title: `Portway: ${count}${isWell ? "" : ", not all is well"}`,
    colour: isWell ? COLOURS.good : COLOURS.bad,
  };
}

// The badge of a tab that shows a service: its branch, or that there is another checkout now.
export function ofService({ instance, service }, changed) {
  const branch = instance.branch ? ` (${instance.branch})` : "";
  const title = `${service.name} of ${instance.name}${branch}: ${stateInWords(service.state)}`;
  if (changed === "checkout") return { text: "!", title: `Another checkout than the page’s: ${title}`, colour: COLOURS.changed };
  if (changed === "branch") return { text: "!", title: `Another branch than the page’s: ${title}`, colour: COLOURS.changed };
  return { text: short(instance.branch ?? instance.project), title, colour: COLOURS[mood(service.state)] };
}

// A badge has room for four letters; what follows the last slash tells branches apart.
const short = (name) => name.split("/").at(-1).slice(0, 4);
