// TOOL LOW HIGH LOW HIGH: print a port of each range.
const [tool, ...numbers] = process.argv.slice(2);
const { find } = await import(`./tools/${tool}.mjs`);
const [low, high, low2, high2] = numbers.map(Number);
const first = await find(low, high).catch(() => 0);
const second = await find(low2, high2).catch(() => 0);
console.log(first, second);
