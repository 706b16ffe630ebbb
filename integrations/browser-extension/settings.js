// The one thing that a person can set: the gateway's port.

// It, or null for the usual ones.
export async function ownPort() {
  const { port } = await chrome.storage.local.get("port");
  return port ?? null;
}

export const setOwnPort = (port) => (port ? chrome.storage.local.set({ port }) : chrome.storage.local.remove("port"));
