//! Java and Kotlin: Spring Boot and Quarkus, built with Maven or Gradle.
//!
//! Build files are not parsed: the full names of plugins and libraries outside comments identify
//! the framework.

use super::{DetectContext, DetectedService, Dir};

/// A framework and its development command.
struct Framework {
    name: &'static str,
    /// Its plugin in Maven's build file, in Gradle's, and in Gradle's through a version catalog.
    plugins: &'static [&'static str],
    /// Libraries that serve HTTP; without one of them the project is not a server.
    web: &'static [&'static str],
    maven: &'static str,
    gradle: &'static str,
    /// The variables that set its address and its port.
    variables: [(&'static str, &'static str); 2],
    /// The key of its port in its configuration.
    key: &'static str,
}

const FRAMEWORKS: [Framework; 2] = [
    Framework {
        name: "spring",
        plugins: &[
            "spring-boot-maven-plugin",
            "org.springframework.boot",
            "plugins.spring.boot",
        ],
        web: &[
            "spring-boot-starter-web",
            "spring.boot.starter.web",
            "spring-boot-starter-jersey",
            "spring-boot-starter-jetty",
            "spring-boot-starter-data-rest",
            "spring-boot-starter-graphql",
            "spring-cloud-starter-gateway",
            "spring-cloud-config-server",
            "spring-cloud-starter-netflix-eureka-server",
        ],
        maven: "spring-boot:run",
        gradle: "bootRun",
        variables: [("SERVER_ADDRESS", "{host}"), ("SERVER_PORT", "{port}")],
        key: "server.port",
    },
    Framework {
        name: "quarkus",
        plugins: &["quarkus-maven-plugin", "io.quarkus"],
        web: &[
            "quarkus-rest",
            "quarkus-resteasy",
            "quarkus-vertx-http",
            "quarkus-reactive-routes",
            "quarkus-undertow",
            "quarkus-smallrye-graphql",
            "quarkus-spring-web",
        ],
        // The debugger would use a fixed port.
        maven: "quarkus:dev -Ddebug=false",
        gradle: "quarkusDev -Ddebug=false",
        variables: [
            ("QUARKUS_HTTP_HOST", "{host}"),
            ("QUARKUS_HTTP_PORT", "{port}"),
        ],
        key: "quarkus.http.port",
    },
];

const USUAL: u16 = 8080;

/// Detects the Java services in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let found = maven(dir, context).or_else(|| gradle(dir, context));
    found.into_iter().collect()
}

/// Returns the framework of a build file and the library that serves.
fn framework(text: &str) -> Option<(&'static Framework, &'static str)> {
    FRAMEWORKS.iter().find_map(|framework| {
        let has = |name: &&&str| text.contains(**name);
        framework.plugins.iter().find(has)?;
        Some((framework, *framework.web.iter().find(has)?))
    })
}

fn maven(dir: &Dir<'_>, context: &DetectContext<'_>) -> Option<DetectedService> {
    let text = without(&dir.read("pom.xml")?, "<!--", "-->");
    // A parent project names plugins for its modules.
    if text.contains("<packaging>pom<") {
        return None;
    }
    let (framework, library) = framework(&text)?;
    let (program, wrapper) = program(dir, "mvnw", "mvn");
    let command = format!("{program} {}", framework.maven);
    let mut found = start(dir, framework, library, "pom.xml", command, context);
    // A module needs its siblings in the local repository, where the parent's install puts them.
    let parent = dir.upwards().skip(1).filter(|above| {
        let pom = above.read("pom.xml");
        pom.is_some_and(|pom| pom.contains("<modules>"))
    });
    found = match parent.last() {
        Some(parent) => {
            let up = up(dir, &parent);
            let module = dir.path().strip_prefix(parent.path()).unwrap_or("");
            let module = portway_project::shell::quote(module.trim_start_matches('/')).into_owned();
            found
                .with_prepare(format!(
                    "{program} -q -f {up}pom.xml -pl {module} -am -DskipTests install"
                ))
                .with_evidence(format!(
                    "it is a module of {}, which installs the modules that it depends on",
                    parent.path_of("pom.xml")
                ))
        }
        None => found.with_prepare(format!("{program} -q -DskipTests compile")),
    };
    Some(finish(found, wrapper, "mvn", context))
}

fn gradle(dir: &Dir<'_>, context: &DetectContext<'_>) -> Option<DetectedService> {
    let file = dir.first_of(&["build.gradle.kts", "build.gradle"])?;
    // A parent without sources names plugins for its subprojects.
    dir.sub("src")?;
    let text = without(&dir.read(file)?, "/*", "*/");
    // With `apply false`, a parent only sets the plugin's version for its modules.
    let counts =
        |line: &&str| !line.trim_start().starts_with("//") && !line.contains("apply false");
    let lines: Vec<&str> = text.lines().filter(counts).collect();
    let text = lines.join("\n");
    let (framework, library) = framework(&text)?;
    let (program, wrapper) = program(dir, "gradlew", "gradle");
    // The Gradle daemon outlives the service, and its processes are not the service's children.
    let command = format!("{program} --no-daemon {}", framework.gradle);
    let found = start(dir, framework, library, file, command, context)
        .with_prepare(format!("{program} --no-daemon -q classes"));
    Some(finish(found, wrapper, "gradle", context))
}

fn start(
    dir: &Dir<'_>,
    framework: &'static Framework,
    library: &str,
    file: &str,
    command: String,
    context: &DetectContext<'_>,
) -> DetectedService {
    let configured = configured(dir, framework.key);
    let usual = configured.as_ref().map_or(USUAL, |(port, _)| *port);
    let port = context.port(framework.name, usual);
    let [address, number] = framework.variables;
    let mut found = DetectedService::http(dir, framework.name, command, port)
        .with_env(address.0, address.1)
        .with_env(number.0, number.1)
        .with_evidence(format!(
            "`{library}` is a dependency in {}",
            dir.path_of(file)
        ));
    if let Some((port, place)) = configured {
        found.is_port_written = true;
        found = found.with_evidence(format!(
            "{place} sets port {port}; `{}` overrides it",
            number.0
        ));
    }
    found
}

fn finish(
    found: DetectedService,
    wrapper: Option<String>,
    tool: &str,
    context: &DetectContext<'_>,
) -> DetectedService {
    let found = match wrapper {
        Some(wrapper) => found.with_evidence(format!("{wrapper} provides the build tool")),
        None => found.requiring(tool, context),
    };
    found.requiring("java", context)
}

/// Returns the build tool's command for `dir`: the nearest wrapper with its path, or else the
/// installed program.
fn program(dir: &Dir<'_>, wrapper: &str, tool: &str) -> (String, Option<String>) {
    match dir.upwards().find(|above| above.has(wrapper)) {
        Some(above) => {
            let up = up(dir, &above);
            let up = if up.is_empty() { "./" } else { &up };
            (format!("{up}{wrapper}"), Some(above.path_of(wrapper)))
        }
        None => (tool.to_owned(), None),
    }
}

/// Returns the relative path from a directory to an ancestor, such as `../../`.
fn up(dir: &Dir<'_>, above: &Dir<'_>) -> String {
    let steps = dir.upwards().position(|dir| dir.path() == above.path());
    "../".repeat(steps.unwrap_or(0))
}

/// Returns the port in the configuration in `src/main/resources`, with its file.
fn configured(dir: &Dir<'_>, key: &str) -> Option<(u16, String)> {
    let resources = dir.below("src/main/resources")?;
    let file = resources.first_of(&[
        "application.properties",
        "application.yml",
        "application.yaml",
    ])?;
    let text = resources.read(file)?;
    let value = match file.ends_with(".properties") {
        true => text.lines().find_map(|line| {
            let (name, value) = line.split_once(['=', ':'])?;
            (name.trim() == key).then(|| value.to_owned())
        }),
        false => yaml_value(&text, key),
    }?;
    // In `${PORT:8081}` the default follows the colon.
    let value = value.trim().trim_end_matches('}');
    let value = value
        .rsplit(':')
        .next()
        .unwrap_or(value)
        .trim()
        .trim_matches(['"', '\'']);
    let port: u16 = value.parse().ok()?;
    (port > 0).then(|| (port, resources.path_of(file)))
}

/// Returns the value of `a.b` in YAML with nested keys. A file with several documents may have more
/// than one value.
fn yaml_value(text: &str, key: &str) -> Option<String> {
    let mut path: Vec<(usize, &str)> = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let indent = line.len() - bare.len();
        path.retain(|(outer, _)| *outer < indent);
        let Some((name, value)) = bare.split_once(':') else {
            continue;
        };
        path.push((indent, name.trim()));
        let names: Vec<&str> = path.iter().map(|(_, name)| *name).collect();
        if names.join(".") == key {
            return Some(value.split(" #").next().unwrap_or("").to_owned());
        }
    }
    None
}

/// Removes comments that span several lines.
fn without(text: &str, open: &str, close: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some((before, comment)) = rest.split_once(open) {
        kept.push_str(before);
        rest = comment.split_once(close).map_or("", |(_, behind)| behind);
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests;
