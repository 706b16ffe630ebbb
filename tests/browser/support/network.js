// HTTP and TCP helpers that run in Node, without a browser.

import http from "node:http";
import net from "node:net";

// Sends an HTTP request. Unlike `fetch`, it sends headers such as Origin unchanged.
export function request(url, { method = "GET", headers = {}, json } = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const sent = body === undefined ? headers : { "content-type": "application/json", ...headers };
  return new Promise((resolve, reject) => {
    // Without an agent, the connection is closed after the response.
    const outgoing = http.request(url, { method, headers: sent, agent: false, timeout: 10_000 });
    outgoing.once("timeout", () => outgoing.destroy(new Error(`${method} ${url}: no response`)));
    outgoing.once("error", reject);
    outgoing.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.once("error", reject);
      response.once("end", () =>
        resolve({
          status: response.statusCode,
          headers: response.headers,
          json: () => JSON.parse(text),
        }),
      );
    });
    outgoing.end(body);
  });
}

export function preflight(url, origin, method = "GET") {
  return request(url, {
    method: "OPTIONS",
    headers: { Origin: origin, "Access-Control-Request-Method": method },
  });
}

// Returns whether a server accepts connections.
export function accepts(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 2_000 });
    const finish = (value) => () => {
      socket.destroy();
      resolve(value);
    };
    socket.once("connect", finish(true));
    socket.once("error", finish(false));
    socket.once("timeout", finish(false));
  });
}

// Forwards requests unchanged to the server on `port` and records them.
export async function serveRecorder(port) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request;
    const record = { method, url, headers, body: "" };
    requests.push(record);
    request.on("data", (part) => (record.body += part));
    const outgoing = http.request({ host: "127.0.0.1", port, method, path: url, headers, agent: false }, (incoming) => {
      response.writeHead(incoming.statusCode, incoming.headers);
      incoming.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    request.pipe(outgoing);
  });
  return { requests, ...(await listen(server)) };
}

// Serves an empty page on a free port.
export async function servePage() {
  const server = http.createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>Foreign page</title>");
  });
  return listen(server);
}

// Returns a port that is currently free.
export async function freePort() {
  const { port, close } = await servePage();
  await close();
  return port;
}

async function listen(server) {
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: server.address().port,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
