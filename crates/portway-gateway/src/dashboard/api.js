// Calls the gateway's API.

const tokenIn = (html) => /name="portway-token" content="([^"]*)"/.exec(html)?.[1] ?? "";
let token = document.querySelector('meta[name="portway-token"]').content;

// An error that the API returned, with hints on how to fix it.
export class ApiError extends Error {
  constructor({ message, hints = [] }) {
    super(message);
    this.hints = hints;
  }
}

async function parse(response) {
  if (response.status === 202) return null;
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  throw new ApiError(body?.error ?? { message: `the gateway returned HTTP status ${response.status}` });
}

const onUnreachable = () => {
  throw new ApiError({ message: "the gateway is not responding", hints: ["run `portway gateway --detach` to start it"] });
};

export const get = async (path) => parse(await fetch(path).catch(onUnreachable));

export async function post(path, body) {
  const send = () =>
    fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "portway-token": token },
      body: JSON.stringify(body),
    }).catch(onUnreachable);
  let response = await send();
  if (response.status === 403) {
    // A restarted gateway has a new token; the page still holds the old one.
    const currentToken = tokenIn(await (await fetch("/").catch(onUnreachable)).text());
    if (currentToken !== token) {
      token = currentToken;
      response = await send();
    }
  }
  return parse(response);
}

// How long to wait before reconnecting, in milliseconds, when the browser does not do it.
const RECONNECT_DELAY = 2000;

// Receives server-sent events while the page is visible. The gateway measures resource usage only
// while a client is connected. Returns a function that ends the subscription.
export function subscribe(path, { onEvent, onState = () => {} }) {
  let source = null;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => onState("live");
    source.onmessage = (event) => onEvent(JSON.parse(event.data));
    source.onerror = () => {
      onState("lost");
      // The browser does not reconnect after a response that is not an event stream.
      if (source?.readyState === EventSource.CLOSED) setTimeout(() => source && reopen(), RECONNECT_DELAY);
    };
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const reopen = () => {
    close();
    open();
  };
  const onVisibilityChange = () => {
    if (document.hidden) close();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", onVisibilityChange);
  if (!document.hidden) open();
  return () => {
    document.removeEventListener("visibilitychange", onVisibilityChange);
    close();
  };
}

export const instancePath = (id, action) => `/v1/instances/${encodeURIComponent(id)}/${action}`;
