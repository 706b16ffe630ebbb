//! Ports among the settings of a program.

use crate::DetectedPort;
use crate::fixture::only;

const PACKAGE: &str = "{\"scripts\": {\"dev\": \"nodemon src/main.js\"}, \
    \"dependencies\": {\"koa\": \"2\", \"config\": \"3\", \"convict\": \"6\"}}";

#[test]
fn the_package_config_is_told_the_port() {
    let main = "const config = require('config')\napp.listen(config.get('web.port'))";
    for (main, file, text, usual, variable, value) in [
        (
            main,
            "config/default.json",
            "{\"web\": {\"port\": 4110}}",
            4110,
            "NODE_CONFIG",
            "{\"web\":{\"port\":{port}}}",
        ),
        (
            main,
            "config/default.yml",
            "web:\n  port: '4110'\n",
            4110,
            "NODE_CONFIG",
            "{\"web\":{\"port\":\"{port}\"}}",
        ),
        (
            main,
            "config/development.toml",
            "[web]\nport = 4110\n",
            4110,
            "NODE_CONFIG",
            "{\"web\":{\"port\":{port}}}",
        ),
        (
            "import config from 'config'\napp.listen({ port: config.server.port })",
            "config/default.yaml",
            "db: {port: 5432}\nserver: {port: 4110}",
            4110,
            "NODE_CONFIG",
            "{\"server\":{\"port\":{port}}}",
        ),
        (
            main,
            "config/custom-environment-variables.json",
            "{\"web\": {\"port\": {\"__name\": \"WEB_PORT\", \"__format\": \"number\"}}}",
            3000,
            "WEB_PORT",
            "{port}",
        ),
    ] {
        let found = only(
            &[
                ("package.json", PACKAGE),
                ("src/main.js", main),
                (file, text),
            ],
            &["npm"],
        );
        assert_eq!(found.prefers(), Some(usual), "{file} {text}");
        assert_eq!(
            found.env.get(variable).map(String::as_str),
            Some(value),
            "{file}"
        );
    }
}

#[test]
fn settings_of_development_name_the_port() {
    let main = "const config = require('./config')\napp.listen(config.port)";
    for (text, port) in [
        // Only production reads the variable.
        (
            "const all = {\n  base: {\n    port: 4110\n  },\n  production: {\n    port: process.env.APP_PORT || 4111\n  },\n  test: {\n    port: 4112\n  }\n}",
            DetectedPort::Fixed(4110),
        ),
        (
            "module.exports = {\n  database: {\n    port: 5432\n  },\n  port: 4110,\n}",
            DetectedPort::Fixed(4110),
        ),
        (
            "const convict = require('convict')\nmodule.exports = convict({\n  db: { port: { default: 5432, env: 'DB_PORT' } },\n  port: {\n    format: 'port',\n    default: 4110,\n    env: 'PORT'\n  }\n})",
            DetectedPort::Preferred(4110),
        ),
        (
            "module.exports = {\n  development: {\n    port: process.env.PORT || 4110\n  },\n  production: {\n    port: process.env.PORT || 4111\n  }\n}",
            DetectedPort::Preferred(4110),
        ),
    ] {
        let found = only(
            &[
                ("package.json", PACKAGE),
                ("src/main.js", main),
                ("src/config.js", text),
            ],
            &["npm"],
        );
        assert_eq!(found.port, Some(port), "{text}");
    }
}

#[test]
fn a_setting_is_found_in_its_object() {
    let main = "const { settings } = require('./config')\napp.listen(settings.http.port)";
    let text =
        "exports.settings = {\n  admin: {\n    port: 4111\n  },\n  http: {\n    port: 4110\n  }\n}";
    let found = only(
        &[
            ("package.json", PACKAGE),
            ("src/main.js", main),
            ("src/config.js", text),
        ],
        &["npm"],
    );
    assert_eq!(found.port, Some(DetectedPort::Fixed(4110)));
}
