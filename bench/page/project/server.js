// Serves a page that loads 1,500 modules, as a development server without a bundler does.

import { createServer } from "node:http";

const COUNT = 1500;
const CHILDREN = 8; // modules that a module imports
const SIZE = 4000; // bytes of a module, about the mean of a project's source files

// Ordinary source text, with one hard-coded URL in every tenth module.
function source(index) {
  const first = index * CHILDREN + 1;
  const children = Array.from({ length: CHILDREN }, (_, child) => first + child);
  const imports = children.filter((child) => child < COUNT).map((child) => `import "/m/${child}.js";\n`);
  const url = index % 10 === 0 ? "http://localhost:8000/items" : "https://example.com/items";
  let text = `${imports.join("")}globalThis.loaded = (globalThis.loaded ?? 0) + 1;\n`;
  for (let line = 0; text.length < SIZE; line += 1) {
    text += `export const item${line} = () => fetch("${url}/${line}").then((response) => response.json());\n`;
  }
  return text;
}

const modules = Array.from({ length: COUNT }, (_, index) => source(index));
const page = `<!doctype html><script type="module">
import "/m/0.js";
document.title = String(globalThis.loaded);
</script>`;

const server = createServer((request, response) => {
  const index = /^\/m\/(\d+)\.js$/.exec(request.url)?.[1];
  response.setHeader("Content-Type", index ? "text/javascript" : "text/html");
  response.setHeader("Cache-Control", "no-cache");
  response.end(index ? modules[index] : page);
});
server.listen(Number(process.argv[2]), "127.0.0.1");
