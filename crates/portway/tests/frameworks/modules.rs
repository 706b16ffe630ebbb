//! The modules of the npm package in projects made by their generators: hot reload in Chromium, by port and
//! by the name of the gateway, with an API behind the page.

use crate::generated::Generated;

/// Installs the packages of the project, and the modules beside them.
const INSTALL: &str = concat!(
    "cd app && npm install && cp -r ",
    env!("CARGO_MANIFEST_DIR"),
    "/../../packaging/npm/portway node_modules/portway && echo '[]' > node_modules/portway/bin/platforms.json",
);

const API: &str = "
require('node:http').createServer((request, response) => {
  response.end(JSON.stringify({ path: request.url }))
}).listen(Number(process.env.PORT), '127.0.0.1')
";

/// The manifest with this command for the page. No option sets its port.
fn manifest(command: &str) -> String {
    format!(
        "[services.web]\ncommand = {command:?}\nport = \"23500-23599\"\nmain = true\n\n\
         [services.api]\ncommand = \"node api.cjs\"\nport = \"23600-23699\"\n"
    )
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn vite() {
    let generate = "npx create-vite@9 app --template react --no-interactive";
    Generated::with_command(&format!("{generate} && {INSTALL}"))
        .file("portway.toml", &manifest("npx vite"))
        .file("api.cjs", API)
        .file(
            "src/App.jsx",
            "export default function App() {\n  return <h1 id=\"title\">before</h1>\n}\n",
        )
        .file(
            "vite.config.js",
            "import { defineConfig } from 'vite'\n\
             import react from '@vitejs/plugin-react'\n\
             import { portway } from 'portway/vite'\n\n\
             export default defineConfig({\n  \
             plugins: [react(), portway({ routes: { '/api': 'api' } })],\n})\n",
        )
        .reloads("src/App.jsx");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn next() {
    let generate = "npx create-next-app@16 app --js --no-eslint --no-tailwind --app --no-src-dir --use-npm \
                    --skip-install --disable-git --yes";
    Generated::with_command(&format!("{generate} && {INSTALL}"))
        .file("portway.toml", &manifest("npx next dev"))
        .file("api.cjs", API)
        .file(
            "app/page.js",
            "export default function Home() {\n  return <h1 id=\"title\">before</h1>\n}\n",
        )
        .file(
            "next.config.mjs",
            "import { withPortway } from 'portway/next'\n\n\
             export default withPortway({}, { routes: { '/api': 'api' } })\n",
        )
        .reloads("app/page.js");
}
