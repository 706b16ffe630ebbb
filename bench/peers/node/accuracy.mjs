// TOOL PORT…: print the ports that the tool reports as free.
const [tool, ...ports] = process.argv.slice(2);
const { find } = await import(`./tools/${tool}.mjs`);
const free = [];
for (const port of ports.map(Number)) {
  if ((await find(port, port).catch(() => 0)) === port) free.push(port);
}
console.log(free.join(' '));
