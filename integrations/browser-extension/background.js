// Keeps the badge true: looks when something happens to tabs, and never by the clock.

import { general, ofService } from "./badge.js";
import { ask } from "./gateway.js";
import * as tabs from "./tabs.js";

async function paint() {
  const view = await ask();
  await show(general(view));
  // Those that show something else have the general badge; the browser sees to that itself.
  const local = (await chrome.tabs.query({})).filter(({ url }) => url);
  await Promise.allSettled(local.map((tab) => paintOne(tab, view)));
}

async function paintOne(tab, view) {
  const { found, changed } = (view && (await tabs.look(tab, view))) ?? {};
  const badge = found?.kind === "service" ? ofService(found, changed) : general(view);
  await show(badge, tab.id);
}

async function show({ text, title, colour }, tabId) {
  const where = tabId === undefined ? {} : { tabId };
  await Promise.all([
    chrome.action.setBadgeText({ text, ...where }),
    chrome.action.setTitle({ title, ...where }),
    chrome.action.setBadgeBackgroundColor({ color: colour, ...where }),
    chrome.action.setBadgeTextColor({ color: "#ffffff", ...where }),
  ]);
}

let current = null;
let next = null;

// Done when a look is done that began after this was called. One at a time, however much happens.
function look() {
  if (!current) {
    // What fails is a tab that has gone meanwhile, of which more events tell.
    current = paint()
      .catch(() => {})
      .finally(() => (current = null));
    return current;
  }
  next ??= current.then(() => {
    next = null;
    return look();
  });
  return next;
}

chrome.runtime.onInstalled.addListener(look);
chrome.runtime.onStartup.addListener(look);
chrome.storage.onChanged.addListener(look);
chrome.tabs.onActivated.addListener(look);
chrome.tabs.onUpdated.addListener((_id, { status, url }, tab) => {
  if (tab.url && (status || url)) look();
});
chrome.windows.onFocusChanged.addListener((window) => {
  if (window !== chrome.windows.WINDOW_ID_NONE) look();
});

// From a page that was loaded, and from the popup when it has seen a change.
chrome.runtime.onMessage.addListener((_message, _sender, answer) => {
  look().then(() => answer(null));
  return true;
});
