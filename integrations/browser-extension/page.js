// In every local page: keeps which checkout the page was loaded from. The page itself is neither
// read nor touched. Only here a memory lives exactly as long as the page does: the background sleeps
// after half a minute, and tabs tell nothing of a load apart from a page that changes its own URL.

{
  // Another branch this soon after a load, in milliseconds, is what the page was loaded for:
  // development servers reload pages while `git switch` is still at its work.
  const SETTLES = 3000;

  let seen = null;
  let isSettled = false;

  // Whoever asks says which checkout there is `now` at an origin, and learns which one there was. What
  // was meant for the page before this one does not count.
  chrome.runtime.onMessage.addListener(({ now, origin }, _sender, answer) => {
    const isNews = now && origin === location.origin;
    if (isNews && (!seen || (seen.id === now.id && !isSettled))) seen = now;
    answer({ seen, isSettled });
  });

  async function say() {
    try {
      await chrome.runtime.sendMessage("loaded");
    } catch {
      // The extension was removed or renewed meanwhile.
    }
  }

  say();
  setTimeout(async () => {
    await say();
    isSettled = true;
  }, SETTLES);
}
