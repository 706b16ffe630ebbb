// The options page: sets the port of the gateway.

import { findGateway } from "./gateway.js";
import { configuredPort, setConfiguredPort } from "./settings.js";
import { byId, setText } from "./shared/dom.js";

async function showStatus() {
  const view = await findGateway();
  setText(byId("status"), view ? `Gateway found on port ${view.gateway.port}.` : "No gateway found.");
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await setConfiguredPort(byId("port").valueAsNumber || null);
  await showStatus();
});

byId("port").value = (await configuredPort()) ?? "";
await showStatus();
