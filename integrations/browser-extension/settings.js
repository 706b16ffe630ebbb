// The only setting: the port of the gateway.

// Returns the configured port, or null to use the default ports.
export async function configuredPort() {
  const { port } = await chrome.storage.local.get("port");
  return port ?? null;
}

export const setConfiguredPort = (port) =>
  port ? chrome.storage.local.set({ port }) : chrome.storage.local.remove("port");
