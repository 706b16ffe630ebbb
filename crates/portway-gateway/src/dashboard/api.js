// The gateway's API. Whoever follows something is told to stop by the function that it gets.

const tokenOf = (page) => /name="portway-token" content="([^"]*)"/.exec(page)?.[1] ?? "";
let token = document.querySelector('meta[name="portway-token"]').content;

// An error with the words of the gateway, and what to do about it.
export class Refusal extends Error {
  constructor({ message, hints = [] }) {
    super(message);
    this.hints = hints;
  }
}

async function answer(response) {
  if (response.status === 202) return null;
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  throw new Refusal(body?.error ?? { message: `the gateway answers ${response.status}` });
}

const lost = () => {
  throw new Refusal({ message: "the gateway does not answer", hints: ["`portway gateway --detach` starts it"] });
};

export const look = async (path) => answer(await fetch(path).catch(lost));

export async function act(path, body) {
  const send = () =>
    fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", "portway-token": token },
      body: JSON.stringify(body),
    }).catch(lost);
  let response = await send();
  if (response.status === 403) {
    // A gateway that was started anew has another token.
    const fresh = tokenOf(await (await fetch("/").catch(lost)).text());
    if (fresh !== token) {
      token = fresh;
      response = await send();
    }
  }
  return answer(response);
}

// Follows events while the page is seen: what nobody looks at is not even measured.
export function follow(path, { onEvent, onState = () => {} }) {
  let source = null;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => onState("live");
    source.onmessage = (event) => onEvent(JSON.parse(event.data));
    source.onerror = () => {
      onState("lost");
      // The browser gives up on an answer that is no stream.
      if (source?.readyState === EventSource.CLOSED) setTimeout(() => source && reopen(), 2000);
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
  const onSeen = () => {
    if (document.hidden) close();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", onSeen);
  if (!document.hidden) open();
  return () => {
    document.removeEventListener("visibilitychange", onSeen);
    close();
  };
}

export const instancePath = (id, verb) => `/v1/instances/${encodeURIComponent(id)}/${verb}`;
