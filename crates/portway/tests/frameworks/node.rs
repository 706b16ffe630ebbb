//! Frameworks for Node.

use crate::generated::Generated;

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn vite_react() {
    Generated::with_command("npx create-vite@9 app --template react --no-interactive")
        .serves("vite", "/@vite/client");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn vite_vue() {
    Generated::with_command("npx create-vite@9 app --template vue --no-interactive")
        .serves("vite", "/@vite/client");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn vite_svelte() {
    Generated::with_command("npx create-vite@9 app --template svelte --no-interactive")
        .serves("vite", "/@vite/client");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn sveltekit() {
    Generated::with_command(
        "npx sv@0.17 create app --template minimal --types ts --no-add-ons --no-install",
    )
    .serves("sveltekit", "Welcome to SvelteKit");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn next() {
    Generated::with_command(
        "npx create-next-app@16 app --ts --no-eslint --no-tailwind --app --no-src-dir --use-npm --skip-install --disable-git --yes",
    )
    .serves("next", "Create Next App");
}

/// The generator downloads its template from a Git host instead of the package registry. These are
/// the files of its minimal template.
#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn nuxt() {
    Generated::with_files(&[
        (
            "package.json",
            r#"{"name": "nuxt-app", "type": "module", "private": true,
                "scripts": {"build": "nuxt build", "dev": "nuxt dev", "postinstall": "nuxt prepare"},
                "dependencies": {"nuxt": "^3.17.0", "vue": "^3.5.0", "vue-router": "^4.5.0"}}"#,
        ),
        ("nuxt.config.ts", "export default defineNuxtConfig({ devtools: { enabled: true } })\n"),
        ("app.vue", "<template><h1>Welcome to Nuxt</h1></template>\n"),
    ])
    .serves("nuxt", "Welcome to Nuxt");
}

/// The files of the minimal template, as for Nuxt.
#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn astro() {
    Generated::with_files(&[
        (
            "package.json",
            r#"{"name": "app", "type": "module", "version": "0.0.1",
                "scripts": {"dev": "astro dev", "build": "astro build", "preview": "astro preview"},
                "dependencies": {"astro": "^5.9.4"}}"#,
        ),
        (
            "astro.config.mjs",
            "import { defineConfig } from 'astro/config';\nexport default defineConfig({});\n",
        ),
        (
            "src/pages/index.astro",
            "<html lang=\"en\"><body><h1>Astro</h1></body></html>\n",
        ),
    ])
    .serves("astro", "Astro</h1>");
}

/// The generator requires the newest version of every package, which a mirror may not have yet.
#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn angular() {
    Generated::with_command(
        "npx @angular/cli@21 new app --defaults --skip-git --skip-install \
         && sed -i -E 's/\"\\^21[^\"]*\"/\"^21.0.0\"/' app/package.json",
    )
    .serves("angular", "<app-root");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn express() {
    Generated::with_command("npx express-generator@4 --no-view app")
        .serves("express", "<title>Express</title>");
}

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn nest() {
    Generated::with_command(
        "npx @nestjs/cli@11 new app --skip-git --skip-install --package-manager npm",
    )
    .serves("nest", "Hello World!");
}

/// The files of the minimal template, as for Nuxt. The template has `port: 3000`, which `portway
/// plan` reports. With the variable instead, it can use any port.
#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn hono() {
    let app = Generated::with_files(&[
        (
            "package.json",
            r#"{"name": "app", "type": "module",
                "scripts": {"dev": "tsx watch src/index.ts", "build": "tsc", "start": "node dist/index.js"},
                "dependencies": {"@hono/node-server": "^1.19.4", "hono": "^4.9.8"},
                "devDependencies": {"@types/node": "^20.11.17", "tsx": "^4.7.1", "typescript": "^5.8.3"}}"#,
        ),
        (
            "src/index.ts",
            "import { serve } from '@hono/node-server'\nimport { Hono } from 'hono'\n\n\
             const app = new Hono()\n\n\
             app.get('/', (c) => {\n  return c.text('Hello Hono!')\n})\n\n\
             serve({\n  fetch: app.fetch,\n  port: 3000\n}, (info) => {\n  \
             console.log(`Server is running on http://localhost:${info.port}`)\n})\n",
        ),
    ]);
    let plan = app.plan().to_string();
    assert!(plan.contains("port 3000"), "{plan}");
    app.replace(
        "src/index.ts",
        "port: 3000",
        "port: Number(process.env.PORT)",
    )
    .serves("hono", "Hello Hono!");
}
