// Compares what a tab shows now with what its page was loaded from.

import { checkoutOf, detectChange, resolve } from "./resolve.js";

// How long to wait for a page, in milliseconds. A page that a debugger has paused does not respond.
const PAGE_TIMEOUT = 1000;

// Returns { resolved, loaded, changed } for a tab, or null if it shows no local page. The browser
// reveals the URL of local pages only, because the extension requests no other host permissions.
export async function inspect(tab, view) {
  const resolved = tab?.url ? resolve(tab.url, view) : null;
  if (!resolved) return null;
  const current = checkoutOf(resolved);
  const loaded = await loadedCheckout(tab.id, { current, origin: new URL(tab.url).origin });
  return { resolved, loaded, changed: detectChange(loaded, current) };
}

// The checkout that the page in a tab was loaded from. A page that does not know yet adopts
// `current`.
async function loadedCheckout(tabId, message) {
  const timeout = new Promise((resolve) => setTimeout(resolve, PAGE_TIMEOUT, { loaded: null }));
  try {
    const response = chrome.tabs.sendMessage(tabId, message, { frameId: 0 });
    return (await Promise.race([response, timeout])).loaded;
  } catch {
    // The page is older than the extension, or the browser shows a page of its own.
    return null;
  }
}
