// The options: where the gateway is.

import { ask } from "./gateway.js";
import { ownPort, setOwnPort } from "./settings.js";
import { byId, setText } from "./shared/dom.js";

async function tell() {
  const view = await ask();
  setText(byId("found"), view ? `A gateway answers on port ${view.gateway.port}.` : "No gateway answers there now.");
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await setOwnPort(byId("port").valueAsNumber || null);
  await tell();
});

byId("port").value = (await ownPort()) ?? "";
await tell();
