//! Bundlers whose hashes OpenSSL 3 refuses, so that they stop with `ERR_OSSL_EVP_UNSUPPORTED` in Node 17 and newer.

use super::package::Package;

/// The first version of Node with OpenSSL 3.
pub(super) const FIRST_NODE: u32 = 17;

/// The option of Node with which OpenSSL 3 accepts these hashes.
pub(super) const OPTION: &str = "--openssl-legacy-provider";

/// Packages on webpack 4 or older, each with its first major version on a newer one.
const ON_WEBPACK: [(&str, u32); 8] = [
    ("webpack", 5),
    ("react-scripts", 5),
    ("@vue/cli-service", 5),
    ("@angular/cli", 12),
    ("next", 11),
    ("nuxt", 3),
    ("gatsby", 3),
    ("laravel-mix", 6),
];

/// Returns the dependency of a package that uses such hashes, with its major version.
pub(super) fn old_bundler(package: &Package) -> Option<(&'static str, u32)> {
    ON_WEBPACK.iter().find_map(|(name, first)| {
        let major = package.major(name).filter(|major| major < first)?;
        Some((*name, major))
    })
}

#[cfg(test)]
mod tests {
    use crate::fixture::only;

    #[test]
    fn an_old_bundler_gets_an_option_of_node() {
        let cra = "react-scripts start";
        for (package, range, script, node, expected) in [
            ("react-scripts", "^4.0.3", cra, "node@22", true),
            ("react-scripts", "5.0.1", cra, "node@22", false),
            ("react-scripts", "^4.0.3", cra, "node@16", false),
            ("react-scripts", "^4.0.3", cra, "npm", false),
            ("webpack", "~4.41", "webpack-dev-server", "node@18", true),
            ("webpack", "latest", "webpack-dev-server", "node@18", false),
            ("nuxt", "2.15.8", "nuxt", "node@20", true),
            ("nuxt", "^3", "nuxt dev", "node@20", false),
            ("vite", "4", "vite", "node@22", false),
        ] {
            let text = format!(
                "{{\"scripts\": {{\"dev\": {script:?}}}, \"devDependencies\": {{{package:?}: {range:?}}}}}"
            );
            let found = only(&[("package.json", &text)], &["npm", node]);
            let options = found.env.get("NODE_OPTIONS").map(String::as_str);
            let expected = expected.then_some(super::OPTION);
            assert_eq!(options, expected, "{package} {range} {node}");
        }
    }
}
