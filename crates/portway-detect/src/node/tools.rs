//! Known dev servers and server frameworks, one line each.

use portway_project::kind::Kind;

/// A program that serves what it builds.
#[derive(Debug)]
pub(super) struct Tool {
    /// Its framework name.
    pub(super) name: &'static str,
    /// Its program.
    program: &'static str,
    /// Its subcommands that serve; empty if it serves without one.
    serves: &'static [&'static str],
    /// Its default port.
    pub(super) port: u16,
    /// The arguments that set its port; empty if it reads PORT.
    pub(super) flags: &'static str,
    /// Configuration files that may set its port, and the keys, separated by `|`.
    pub(super) config: &'static [&'static str],
    pub(super) config_key: &'static str,
    pub(super) kind: Kind,
}

const STRICT: &str = "--port {port} --strictPort";
const PLAIN: &str = "--port {port}";
/// It neither asks nor opens a browser.
const STORYBOOK: &str = "--port {port} --ci";
const VITE_CONFIG: &[&str] = &[
    "vite.config.ts",
    "vite.config.js",
    "vite.config.mts",
    "vite.config.mjs",
    "vite.config.cts",
    "vite.config.cjs",
];
const NUXT_CONFIG: &[&str] = &["nuxt.config.ts", "nuxt.config.js"];
const ASTRO_CONFIG: &[&str] = &["astro.config.mjs", "astro.config.ts", "astro.config.js"];
const WEBPACK_CONFIG: &[&str] = &["webpack.config.js", "webpack.config.ts", "webpack.dev.js"];
const RSPACK_CONFIG: &[&str] = &[
    "rsbuild.config.ts",
    "rsbuild.config.js",
    "rspack.config.js",
    "rspack.config.ts",
];
const CRACO_CONFIG: &[&str] = &["craco.config.js", "craco.config.ts", "config-overrides.js"];
const FARM_CONFIG: &[&str] = &["farm.config.ts", "farm.config.js"];
/// Beside the Vite configuration of the project.
const VITEPRESS_CONFIG: &[&str] = &[
    ".vitepress/config.ts",
    ".vitepress/config.mts",
    ".vitepress/config.js",
    ".vitepress/config.mjs",
    "vite.config.ts",
    "vite.config.js",
];
const VUE_CONFIG: &[&str] = &["vue.config.js"];

#[rustfmt::skip]
const TOOLS: [Tool; 96] = [
    page("vite", "vite", &["", "dev", "serve"], 5173, STRICT, VITE_CONFIG, "server"),
    page("vite", "vp", &["dev"], 5173, STRICT, VITE_CONFIG, "server"),
    page("next", "next", &["", "dev"], 3000, PLAIN, &[], ""),
    page("next", "next-remote-watch", &[""], 3000, "", &[], ""),
    page("nuxt", "nuxt", &["", "dev"], 3000, PLAIN, NUXT_CONFIG, "devServer|server"),
    page("nuxt", "nuxt-ts", &["", "dev"], 3000, PLAIN, NUXT_CONFIG, "devServer|server"),
    page("nuxt", "nuxi", &["dev"], 3000, PLAIN, NUXT_CONFIG, "devServer|server"),
    page("astro", "astro", &["dev"], 4321, PLAIN, ASTRO_CONFIG, "server"),
    page("angular", "ng", &["serve", "s", "dev"], 4200, PLAIN, &["angular.json"], "options"),
    page("react-router", "react-router", &["dev"], 5173, STRICT, VITE_CONFIG, "server"),
    page("remix", "remix", &["vite:dev"], 5173, STRICT, VITE_CONFIG, "server"),
    page("remix", "remix", &["dev"], 3000, "", &[], ""),
    page("create-react-app", "react-scripts", &["start"], 3000, "", &[], ""),
    page("create-react-app", "react-scripts-ts", &["start"], 3000, "", &[], ""),
    page("create-react-app", "react-app-rewired", &["start"], 3000, "", CRACO_CONFIG, "devServer"),
    page("create-react-app", "craco", &["start"], 3000, "", CRACO_CONFIG, "devServer"),
    page("create-react-app", "rescripts", &["start"], 3000, "", &[], ""),
    page("razzle", "razzle", &["start"], 3000, "", &[], ""),
    page("blitz", "blitz", &["dev"], 3000, PLAIN, &[], ""),
    page("sapper", "sapper", &["dev"], 3000, PLAIN, &[], ""),
    page("meteor", "meteor", &["", "run"], 3000, PLAIN, &[], ""),
    page("vike", "vike", &["dev"], 3000, PLAIN, &[], ""),
    page("farm", "farm", &["", "dev", "start"], 9000, PLAIN, FARM_CONFIG, "server"),
    page("observable", "observable", &["preview"], 3000, PLAIN, &[], ""),
    page("elm", "elm-app", &["start"], 3000, "", &[], ""),
    page("vue-cli", "vue-cli-service", &["serve"], 8080, PLAIN, VUE_CONFIG, "devServer"),
    page("webpack", "webpack", &["serve"], 8080, PLAIN, WEBPACK_CONFIG, "devServer"),
    page("webpack", "webpack-dev-server", &[""], 8080, PLAIN, WEBPACK_CONFIG, "devServer"),
    page("rsbuild", "rsbuild", &["dev"], 3000, PLAIN, RSPACK_CONFIG, "server"),
    page("rspack", "rspack", &["serve", "dev", "s"], 8080, PLAIN, RSPACK_CONFIG, "devServer"),
    page("parcel", "parcel", &["", "serve"], 1234, PLAIN, &[], ""),
    page("gatsby", "gatsby", &["develop"], 8000, PLAIN, &[], ""),
    page("docusaurus", "docusaurus", &["start"], 3000, "--port {port} --no-open", &[], ""),
    page("vitepress", "vitepress", &["", "dev"], 5173, STRICT, VITEPRESS_CONFIG, "server"),
    page("eleventy", "eleventy", &["--serve"], 8080, "--port={port}", &[], ""),
    page("solid-start", "vinxi", &["dev"], 3000, PLAIN, &[], ""),
    page("expo", "expo", &["start"], 8081, PLAIN, &[], ""),
    page("react-native", "react-native", &["start"], 8081, PLAIN, &[], ""),
    page("ember", "ember", &["serve", "s", "server"], 4200, PLAIN, &[], ""),
    api("nest", "nest", &["start"], 3000, ""),
    api("fastify", "fastify", &["start"], 3000, PLAIN),
    api("wrangler", "wrangler", &["dev"], 8787, PLAIN),
    api("directus", "directus", &["start"], 8055, ""),
    api("sails", "sails", &["lift"], 1337, PLAIN),
    api("egg", "egg-bin", &["dev"], 7001, PLAIN),
    api("midway", "midway-bin", &["dev"], 7001, PLAIN),
    api("firebase-functions", "functions-framework", &[""], 8080, PLAIN),
    api("strapi", "strapi", &["develop", "dev"], 1337, ""),
    api("json-server", "json-server", &[""], 3000, PLAIN),
    api("adonis", "node", &["ace"], 3333, ""),
    api("medusa", "medusa", &["develop"], 9000, PLAIN),
    api("keystone", "keystone", &["dev"], 3000, ""),
    api("nitro", "nitro", &["dev"], 3000, PLAIN),
    api("nitro", "nitropack", &["dev"], 3000, PLAIN),
    api("partykit", "partykit", &["dev"], 1999, PLAIN),
    api("azure-functions", "func", &["start"], 7071, PLAIN),
    api("serverless", "serverless", &["offline"], 3000, "--httpPort {port}"),
    api("serverless", "sls", &["offline"], 3000, "--httpPort {port}"),
    page("storybook", "storybook", &["dev"], 6006, STORYBOOK, &[], ""),
    page("storybook", "start-storybook", &[""], 6006, STORYBOOK, &[], ""),
    page("ladle", "ladle", &["serve", "dev"], 61000, PLAIN, &[], ""),
    page("histoire", "histoire", &["dev"], 6006, PLAIN, &[], ""),
    page("slidev", "slidev", &[""], 3030, PLAIN, &[], ""),
    page("vuepress", "vuepress", &["dev"], 8080, PLAIN, &[], ""),
    page("docsify", "docsify", &["serve"], 3000, PLAIN, &[], ""),
    page("mintlify", "mintlify", &["dev"], 3000, PLAIN, &[], ""),
    page("mintlify", "mint", &["dev"], 3000, PLAIN, &[], ""),
    page("sanity", "sanity", &["dev", "start"], 3333, PLAIN, &[], ""),
    page("react-email", "email", &["dev"], 3000, PLAIN, &[], ""),
    page("react-email", "react-email", &["dev"], 3000, PLAIN, &[], ""),
    page("waku", "waku", &["dev"], 3000, PLAIN, &[], ""),
    page("umi", "umi", &["dev"], 8000, "", &[], ""),
    page("umi", "max", &["dev"], 8000, "", &[], ""),
    page("modern", "modern", &["dev"], 8080, "", &[], ""),
    page("ice", "ice", &["start"], 3000, PLAIN, &[], ""),
    page("quasar", "quasar", &["dev"], 9000, PLAIN, &[], ""),
    page("ionic", "ionic", &["serve"], 8100, "--port {port} --no-open", &[], ""),
    page("stencil", "stencil", &["--serve"], 3333, PLAIN, &[], ""),
    page("preact", "preact", &["watch"], 8080, PLAIN, &[], ""),
    page("snowpack", "snowpack", &["dev"], 8080, PLAIN, &[], ""),
    page("gridsome", "gridsome", &["develop"], 8080, PLAIN, &[], ""),
    page("hexo", "hexo", &["server", "s"], 4000, PLAIN, &[], ""),
    page("netlify", "netlify", &["dev"], 8888, PLAIN, &[], ""),
    page("netlify", "ntl", &["dev"], 8888, PLAIN, &[], ""),
    page("vercel", "vercel", &["dev"], 3000, "--listen {port}", &[], ""),
    page("browser-sync", "browser-sync", &["start"], 3000, "--port {port} --no-open", &[], ""),
    page("live-server", "live-server", &[""], 8080, "--port={port} --no-browser", &[], ""),
    page("http-server", "http-server", &[""], 8080, PLAIN, &[], ""),
    page("serve", "serve", &[""], 3000, "--listen {port}", &[], ""),
    page("web-dev-server", "web-dev-server", &[""], 8000, PLAIN, &[], ""),
    page("web-dev-server", "wds", &[""], 8000, PLAIN, &[], ""),
    data("pglite", "pglite-server", 5432, "--port={port}", Kind::Postgres),
    data("redis", "redis-server", 6379, PLAIN, Kind::Redis),
    data("redis", "valkey-server", 6379, PLAIN, Kind::Redis),
    data("mongodb", "mongod", 27017, PLAIN, Kind::Mongodb),
    data("libsql", "sqld", 8080, "--http-listen-addr {host}:{port}", Kind::Tcp),
];

const fn page(
    name: &'static str,
    program: &'static str,
    serves: &'static [&'static str],
    port: u16,
    flags: &'static str,
    config: &'static [&'static str],
    config_key: &'static str,
) -> Tool {
    Tool {
        name,
        program,
        serves,
        port,
        flags,
        config,
        config_key,
        kind: Kind::Frontend,
    }
}

const fn api(
    name: &'static str,
    program: &'static str,
    serves: &'static [&'static str],
    port: u16,
    flags: &'static str,
) -> Tool {
    Tool {
        kind: Kind::Http,
        ..page(name, program, serves, port, flags, &[], "")
    }
}

/// A database server.
const fn data(
    name: &'static str,
    program: &'static str,
    port: u16,
    flags: &'static str,
    kind: Kind,
) -> Tool {
    Tool {
        kind,
        ..page(name, program, &[""], port, flags, &[], "")
    }
}

/// Returns the tool that a command serves with. Arguments that are not subcommands count as a
/// directory or file, unless the tool is known to use them differently.
pub(super) fn tool(program: &str, arguments: &[String]) -> Option<&'static Tool> {
    let mut words = arguments.iter().filter(|word| !word.starts_with('-'));
    let first = words.next().map_or("", String::as_str);
    TOOLS
        .iter()
        .filter(|tool| tool.program == program)
        .find(|tool| {
            let is_word =
                |serves: &&str| *serves == first || arguments.iter().any(|word| word == serves);
            let is_path = |text: &str| text.contains(['.', '/']);
            match tool.serves {
                [""] => true,
                ["", ..] => {
                    let has_flag = arguments.first().is_some_and(|word| word.starts_with('-'));
                    has_flag || is_path(first) || tool.serves.contains(&first)
                }
                serves => serves.iter().any(is_word),
            }
        })
}

/// Tools with a port flag that read PORT too.
const READS_PORT: [&str; 7] = [
    "http-server",
    "next",
    "nitro",
    "nuxt",
    "parcel",
    "serve",
    "solid-start",
];

impl Tool {
    /// Returns whether it reads PORT if no flag sets its port.
    pub(super) fn reads_port(&self) -> bool {
        self.flags.is_empty() || READS_PORT.contains(&self.name)
    }
}

/// Frameworks built on Vite, by a package that they depend on.
pub(super) const ON_VITE: [(&str, &str); 6] = [
    ("@sveltejs/kit", "sveltekit"),
    ("@remix-run/dev", "remix"),
    ("@react-router/dev", "react-router"),
    ("@solidjs/start", "solid-start"),
    ("@builder.io/qwik-city", "qwik"),
    ("@tanstack/react-start", "tanstack-start"),
];

/// Programs that run a file.
const RUNS_A_FILE: [&str; 26] = [
    "coffee",
    "esmo",
    "esno",
    "esr",
    "esrun",
    "forever",
    "jiti",
    "supervisor",
    "tsm",
    "pm2-dev",
    "pm2-runtime",
    "tsup",
    "tsdown",
    "tsc-watch",
    "node",
    "nodemon",
    "tsx",
    "ts-node",
    "ts-node-dev",
    "tsnd",
    "bun",
    "babel-node",
    "vite-node",
    "node-dev",
    "swc-node",
    "deno",
];

/// Returns whether a program runs a file of JavaScript or TypeScript: one that is known, or by its name, such as
/// `babel-watch` and `sucrase-node`.
pub(super) fn runs_a_file(program: &str) -> bool {
    let mut ends = ["-node", "-watch", "-node-dev"].iter();
    RUNS_A_FILE.contains(&program)
        || program.starts_with("ts-node-")
        || ends.any(|end| program.ends_with(end))
}

/// Programs that no package contains, so they are installed on the machine.
pub(super) const ON_MACHINE: [&str; 8] = [
    "bun",
    "deno",
    "meteor",
    "mongod",
    "node",
    "redis-server",
    "sqld",
    "valkey-server",
];

/// Server frameworks: the package, its framework name, its kind, its default port.
pub(super) const LIBRARIES: [(&str, &str, Kind, u16); 19] = [
    ("@nestjs/core", "nest", Kind::Http, 3000),
    ("express", "express", Kind::Http, 3000),
    ("hono", "hono", Kind::Http, 3000),
    ("fastify", "fastify", Kind::Http, 3000),
    ("koa", "koa", Kind::Http, 3000),
    ("elysia", "elysia", Kind::Http, 3000),
    ("@hapi/hapi", "hapi", Kind::Http, 3000),
    ("@apollo/server", "apollo", Kind::Http, 4000),
    ("graphql-yoga", "graphql-yoga", Kind::Http, 4000),
    ("polka", "polka", Kind::Http, 3000),
    ("restify", "restify", Kind::Http, 8080),
    ("sails", "sails", Kind::Http, 1337),
    ("@loopback/rest", "loopback", Kind::Http, 3000),
    ("socket.io", "socket.io", Kind::Http, 3000),
    ("ws", "ws", Kind::Http, 8080),
    ("next", "next", Kind::Frontend, 3000),
    ("@grpc/grpc-js", "grpc", Kind::Tcp, 50_051),
    ("nice-grpc", "grpc", Kind::Tcp, 50_051),
    ("@trpc/server", "trpc", Kind::Http, 3000),
];

/// Those of [`LIBRARIES`] that clients use as well, so that a program with them need not serve.
pub(super) const CLIENT_LIBRARIES: [&str; 6] = [
    "ws",
    "socket.io",
    "next",
    "@grpc/grpc-js",
    "nice-grpc",
    "@trpc/server",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_serving_commands_of_tools_only() {
        for (command, name) in [
            ("vite", Some("vite")),
            ("vite --open", Some("vite")),
            ("vite dev", Some("vite")),
            ("vite ./site", Some("vite")),
            ("vite build", None),
            ("vite preview --port 1", None),
            ("vite build --watch", None),
            ("next dev --turbo", Some("next")),
            ("next start", None),
            ("ng serve", Some("angular")),
            ("ng build --watch", None),
            ("remix vite:dev", Some("remix")),
            ("parcel src/index.html", Some("parcel")),
            ("parcel build src/index.html", None),
            ("eleventy --serve", Some("eleventy")),
            ("eleventy", None),
            ("next-remote-watch ./content", Some("next")),
            ("nest start --watch", Some("nest")),
            ("nest build", None),
            ("json-server db.json", Some("json-server")),
            ("storybook dev", Some("storybook")),
            ("storybook build", None),
            ("node ace serve --hmr", Some("adonis")),
            ("node server.js", None),
            ("nuxt", Some("nuxt")),
            ("nuxt --hostname 0.0.0.0", Some("nuxt")),
            ("nuxt generate", None),
            ("react-app-rewired start", Some("create-react-app")),
            ("craco start", Some("create-react-app")),
            ("craco build", None),
            ("vitepress dev", Some("vitepress")),
            ("vitepress build", None),
        ] {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let found = tool(&words[0], &words[1..]).map(|tool| tool.name);
            assert_eq!(found, name, "{command}");
        }
    }
}
