// What a tab shows, and what its page remembers.

import { change, checkoutOf, find } from "./places.js";

// How long a page may take to answer, in milliseconds. One that is halted in a debugger takes longer.
const PATIENCE = 1000;

// { found, seen, changed } of a tab, by what the gateway says (`view`); null where it shows no local
// page. A tab's URL is told for local pages alone, for no others have been asked for.
export async function look(tab, view) {
  const found = tab?.url ? find(tab.url, view) : null;
  if (!found) return null;
  const now = checkoutOf(found);
  const seen = await recall(tab.id, { now, origin: new URL(tab.url).origin });
  return { found, seen, changed: change(seen, now) };
}

// What the page in a tab was loaded from. It remembers `now` if it did not know yet.
async function recall(tab, message) {
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, { seen: null }));
  try {
    const { seen } = await Promise.race([chrome.tabs.sendMessage(tab, message, { frameId: 0 }), late]);
    return seen;
  } catch {
    // A page from before this extension, or one of the browser's own in place of it.
    return null;
  }
}
