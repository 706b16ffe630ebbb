// Plain HTTP and TCP from Node, outside any browser.

import http from "node:http";
import net from "node:net";

// Node's own fetch may refuse or rewrite headers such as Origin; this does not.
export function request(url, { method = "GET", headers = {}, json } = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const sent = body === undefined ? headers : { "content-type": "application/json", ...headers };
  return new Promise((resolve, reject) => {
    // agent: false closes the connection afterwards.
    const outgoing = http.request(url, { method, headers: sent, agent: false, timeout: 10_000 });
    outgoing.once("timeout", () => outgoing.destroy(new Error(`${method} ${url}: no answer`)));
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

// Whether something accepts a connection there.
export function accepts(host, port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 2_000 });
    const answer = (value) => () => {
      socket.destroy();
      resolve(value);
    };
    socket.once("connect", answer(true));
    socket.once("error", answer(false));
    socket.once("timeout", answer(false));
  });
}

// Passes requests on to the server at `port` as they are, and notes each one.
export async function serveRecorder(port) {
  const noted = [];
  const server = http.createServer((request, response) => {
    const { method, url, headers } = request;
    const note = { method, url, headers, body: "" };
    noted.push(note);
    request.on("data", (part) => (note.body += part));
    const onward = http.request({ host: "127.0.0.1", port, method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  return { noted, ...(await listen(server)) };
}

// An empty page on a port that the system picks.
export async function servePage() {
  const server = http.createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>Stranger</title>");
  });
  return listen(server);
}

// A port that nobody has now.
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
