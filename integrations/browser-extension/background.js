// Updates the toolbar badge when tabs, windows or settings change. It does not poll.

import { generalBadge, serviceBadge } from "./badge.js";
import { findGateway } from "./gateway.js";
import * as tabs from "./tabs.js";

async function updateBadges() {
  const view = await findGateway();
  await setBadge(generalBadge(view));
  // Tabs without a readable URL show the general badge.
  const localTabs = (await chrome.tabs.query({})).filter(({ url }) => url);
  await Promise.allSettled(localTabs.map((tab) => updateTab(tab, view)));
}

async function updateTab(tab, view) {
  const { resolved, changed } = (view && (await tabs.inspect(tab, view))) ?? {};
  const badge = resolved?.kind === "service" ? serviceBadge(resolved, changed) : generalBadge(view);
  await setBadge(badge, tab.id);
}

async function setBadge({ text, title, color }, tabId) {
  const target = tabId === undefined ? {} : { tabId };
  await Promise.all([
    chrome.action.setBadgeText({ text, ...target }),
    chrome.action.setTitle({ title, ...target }),
    chrome.action.setBadgeBackgroundColor({ color, ...target }),
    chrome.action.setBadgeTextColor({ color: "#ffffff", ...target }),
  ]);
}

let current = null;
let next = null;

// Returns a promise for an update that starts after this call. Only one update runs at a time, and
// only one more is queued.
function requestUpdate() {
  if (!current) {
    current = updateBadges()
      // An update fails when a tab is closed meanwhile. That event requests another update.
      .catch(() => {})
      .finally(() => (current = null));
    return current;
  }
  next ??= current.then(() => {
    next = null;
    return requestUpdate();
  });
  return next;
}

chrome.runtime.onInstalled.addListener(requestUpdate);
chrome.runtime.onStartup.addListener(requestUpdate);
chrome.storage.onChanged.addListener(requestUpdate);
chrome.tabs.onActivated.addListener(requestUpdate);
chrome.tabs.onUpdated.addListener((_id, { status, url }, tab) => {
  if (tab.url && (status || url)) requestUpdate();
});
chrome.windows.onFocusChanged.addListener((window) => {
  if (window !== chrome.windows.WINDOW_ID_NONE) requestUpdate();
});

// Sent by a page after it was loaded, and by the popup when it received a change.
chrome.runtime.onMessage.addListener((_message, _sender, respond) => {
  requestUpdate().then(() => respond(null));
  return true;
});
