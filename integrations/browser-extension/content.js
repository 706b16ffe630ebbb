// Runs in every local page and remembers which checkout the page was loaded from. It does not read
// or change the page. The memory must be here: the background worker is stopped after 30 seconds,
// and tab events do not distinguish a load from a change of the URL by the page itself.

{
  // Development servers reload a page while `git switch` is still running. A change this soon after
  // a load, in milliseconds, is therefore treated as part of that load.
  const SETTLE_DELAY = 3000;

  let loaded = null;
  let isSettled = false;

  // The background sends the checkout that is `current` at an origin and receives the remembered
  // one. A message for another origin was meant for a previous page in this tab.
  chrome.runtime.onMessage.addListener(({ current, origin }, _sender, respond) => {
    const isForThisPage = current && origin === location.origin;
    if (isForThisPage && (!loaded || (loaded.id === current.id && !isSettled))) loaded = current;
    respond({ loaded, isSettled });
  });

  async function notifyBackground() {
    try {
      await chrome.runtime.sendMessage("loaded");
    } catch {
      // The extension was removed or updated.
    }
  }

  notifyBackground();
  setTimeout(async () => {
    await notifyBackground();
    isSettled = true;
  }, SETTLE_DELAY);
}
