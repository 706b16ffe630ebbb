//! Java and Kotlin: Spring Boot and Quarkus, with Maven or Gradle.
//!
//! Build files are not parsed: what counts is whether the names of plugins and libraries stand in
//! them outside of comments. A name there is written out in full, so that this is enough.

use super::{Dir, Found, Surroundings};

/// A framework and how it is started in development.
struct Framework {
    name: &'static str,
    /// Its plugin in Maven's and in Gradle's build file, and in Gradle's through a catalogue of
    /// versions.
    plugins: &'static [&'static str],
    /// Libraries of which one must be there, or else it serves nobody.
    web: &'static [&'static str],
    maven: &'static str,
    gradle: &'static str,
    /// The variables that tell it its address and its port.
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
        // Its debugger's port is fixed.
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

/// The Java services in `dir`.
pub(super) fn read(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let found = maven(dir, surroundings).or_else(|| gradle(dir, surroundings));
    found.into_iter().collect()
}

/// The framework that a build file has, with the library by which it serves.
fn framework(text: &str) -> Option<(&'static Framework, &'static str)> {
    FRAMEWORKS.iter().find_map(|framework| {
        let has = |name: &&&str| text.contains(**name);
        framework.plugins.iter().find(has)?;
        Some((framework, *framework.web.iter().find(has)?))
    })
}

fn maven(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Option<Found> {
    let text = without(&dir.read("pom.xml")?, "<!--", "-->");
    // A parent names them for its modules.
    if text.contains("<packaging>pom<") {
        return None;
    }
    let (framework, library) = framework(&text)?;
    let (program, wrapper) = program(dir, "mvnw", "mvn");
    let command = format!("{program} {}", framework.maven);
    let mut found = start(dir, framework, library, "pom.xml", command, surroundings);
    // A module needs its neighbours in the local repository, which its parent puts there.
    let parent = dir.upwards().skip(1).filter(|above| {
        let pom = above.read("pom.xml");
        pom.is_some_and(|pom| pom.contains("<modules>"))
    });
    found = match parent.last() {
        Some(parent) => {
            let up = up(dir, &parent);
            let module = dir.path().strip_prefix(parent.path()).unwrap_or("");
            let module = super::shell::quote(module.trim_start_matches('/')).into_owned();
            found
                .prepared(format!(
                    "{program} -q -f {up}pom.xml -pl {module} -am -DskipTests install"
                ))
                .because(format!(
                    "it is a module of {}, which installs what it needs of the others",
                    parent.path_of("pom.xml")
                ))
        }
        None => found.prepared(format!("{program} -q -DskipTests compile")),
    };
    Some(finish(found, wrapper, "mvn", surroundings))
}

fn gradle(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Option<Found> {
    let file = dir.first_of(&["build.gradle.kts", "build.gradle"])?;
    // A parent without sources names them for its projects.
    dir.sub("src")?;
    let text = without(&dir.read(file)?, "/*", "*/");
    // A parent names a plugin with `apply false`, only to give its version to its modules.
    let counts =
        |line: &&str| !line.trim_start().starts_with("//") && !line.contains("apply false");
    let lines: Vec<&str> = text.lines().filter(counts).collect();
    let text = lines.join("\n");
    let (framework, library) = framework(&text)?;
    let (program, wrapper) = program(dir, "gradlew", "gradle");
    // The daemon outlives the service, and what it starts is not the service's own.
    let command = format!("{program} --no-daemon {}", framework.gradle);
    let found = start(dir, framework, library, file, command, surroundings)
        .prepared(format!("{program} --no-daemon -q classes"));
    Some(finish(found, wrapper, "gradle", surroundings))
}

fn start(
    dir: &Dir<'_>,
    framework: &'static Framework,
    library: &str,
    file: &str,
    command: String,
    surroundings: &Surroundings<'_>,
) -> Found {
    let configured = configured(dir, framework.key);
    let usual = configured.as_ref().map_or(USUAL, |(port, _)| *port);
    let port = surroundings.port(framework.name, usual);
    let [address, number] = framework.variables;
    let mut found = Found::http(dir, framework.name, command, port)
        .told(address.0, address.1)
        .told(number.0, number.1)
        .because(format!(
            "`{library}` is a dependency in {}",
            dir.path_of(file)
        ));
    if let Some((port, place)) = configured {
        found = found.because(format!(
            "{place} has port {port}; `{}` wins over it",
            number.0
        ));
    }
    found
}

fn finish(
    found: Found,
    wrapper: Option<String>,
    tool: &str,
    surroundings: &Surroundings<'_>,
) -> Found {
    let found = match wrapper {
        Some(wrapper) => found.because(format!("{wrapper} brings the build tool")),
        None => found.needing(tool, surroundings),
    };
    found.needing("java", surroundings)
}

/// The build tool as it is called from `dir`: the nearest wrapper, with its path relative to the
/// root, or else the machine's.
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

/// The way from a directory up to one above it: `../../`.
fn up(dir: &Dir<'_>, above: &Dir<'_>) -> String {
    let steps = dir.upwards().position(|dir| dir.path() == above.path());
    "../".repeat(steps.unwrap_or(0))
}

/// The port in the configuration below `src/main/resources`, with its file.
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
    // `${PORT:8081}` has its default behind the colon.
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

/// The value of `a.b` in YAML of nested keys. Such a file may have several documents, which is
/// more than one value.
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

/// A text without its comments of several lines.
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
