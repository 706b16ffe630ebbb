// TOOL LOW HIGH MILLISECONDS: find a port, wait like a server that starts, and listen on the port
// until standard input is closed. Prints the port and whether listening succeeded.
import net from 'node:net';

const [tool, ...numbers] = process.argv.slice(2);
const { find } = await import(`./tools/${tool}.mjs`);
const [low, high, wait] = numbers.map(Number);
const port = await find(low, high).catch(() => 0);
await new Promise((resolve) => setTimeout(resolve, wait));
const server = net.createServer();
server.on('error', () => console.log(port, 'failed'));
if (port === 0) console.log(0, 'failed');
else server.listen(port, '0.0.0.0', () => console.log(port, 'bound'));
process.stdin.on('end', () => process.exit(0)).resume();
