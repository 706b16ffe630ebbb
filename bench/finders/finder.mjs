// A minimal port finder for Node: the first port of a range on which a server can listen.
import net from 'node:net';

const isFree = (port) =>
  new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.once('listening', () => {
      server.close();
      resolve(true);
    });
    server.listen(port, '0.0.0.0');
  });

export const find = async (low, high) => {
  for (let port = low; port <= high; port++) {
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${low} to ${high}`);
};
