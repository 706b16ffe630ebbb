use crate::fixture::{checkout, only};

const POM: &str = "<project><dependencies><dependency><artifactId>spring-boot-starter-web</artifactId></dependency></dependencies>\n<plugin><artifactId>spring-boot-maven-plugin</artifactId></plugin></project>";
const GRADLE: &str = "plugins {\n  id 'org.springframework.boot' version '3.4.0'\n}\ndependencies {\n  implementation 'org.springframework.boot:spring-boot-starter-webflux'\n}\n";

#[test]
fn detects_spring_with_maven() {
    let found = only(
        &[
            ("pom.xml", POM),
            ("mvnw", ""),
            (
                "src/main/resources/application.properties",
                "server.port=${PORT:8081}",
            ),
        ],
        &["java"],
    );
    assert_eq!(found.command, "./mvnw spring-boot:run");
    assert_eq!(
        found.prepare.as_deref(),
        Some("./mvnw -q -DskipTests compile")
    );
    assert_eq!((found.framework, found.prefers()), ("spring", Some(8081)));
    assert_eq!(found.env["SERVER_PORT"], "{port}");
    assert_eq!(found.env["SERVER_ADDRESS"], "{host}");
    found.has_evidence("`spring-boot-starter-web` is a dependency in pom.xml");
    let found = only(&[("pom.xml", POM)], &["java"]);
    assert_eq!(found.command, "mvn spring-boot:run");
    found.has_evidence("it requires `mvn`, which is not installed");
}

#[test]
fn detects_spring_with_gradle() {
    let yaml =
        "# x\nspring:\n  port: 1\nserver:\n  ssl:\n    port: 2\n  port: 8083 # y\n---\na: b\n";
    let found = only(
        &[
            ("gradlew", ""),
            ("api/build.gradle", GRADLE),
            ("api/src/main/resources/application.yml", yaml),
        ],
        &["java"],
    );
    assert_eq!(found.command, "../gradlew --no-daemon bootRun");
    assert_eq!((found.name.as_str(), found.prefers()), ("api", Some(8083)));
    found.has_evidence("api/src/main/resources/application.yml sets port 8083");
}

#[test]
fn installs_the_sibling_modules_of_a_module() {
    let found = only(
        &[
            (
                "pom.xml",
                "<modules><module>services/api</module></modules>",
            ),
            ("mvnw", ""),
            ("services/api/pom.xml", POM),
            (
                "core/pom.xml",
                "<artifactId>spring-boot-starter-web</artifactId>",
            ),
        ],
        &["java"],
    );
    assert_eq!(found.command, "../../mvnw spring-boot:run");
    assert_eq!(
        found.prepare.as_deref(),
        Some("../../mvnw -q -f ../../pom.xml -pl services/api -am -DskipTests install")
    );
}

#[test]
fn detects_quarkus() {
    let pom = "quarkus-maven-plugin quarkus-rest-jackson";
    let found = only(&[("pom.xml", pom), ("mvnw", "")], &["java"]);
    assert_eq!(found.command, "./mvnw quarkus:dev -Ddebug=false");
    assert_eq!(found.env["QUARKUS_HTTP_PORT"], "{port}");
    let gradle = "plugins { id(\"io.quarkus\") }\nimplementation(\"io.quarkus:quarkus-resteasy\")";
    let found = only(
        &[("build.gradle.kts", gradle), ("src/main/java/A.java", "")],
        &["java", "gradle"],
    );
    assert_eq!(found.command, "gradle --no-daemon quarkusDev -Ddebug=false");
}

#[test]
fn ignores_libraries_and_batch_jobs() {
    for (file, text) in [
        (
            "pom.xml",
            "<artifactId>spring-boot-starter-web</artifactId>",
        ),
        (
            "pom.xml",
            "spring-boot-maven-plugin spring-boot-starter-batch",
        ),
        (
            "pom.xml",
            "spring-boot-maven-plugin <!-- spring-boot-starter-web -->",
        ),
        ("pom.xml", "quarkus-maven-plugin quarkus-picocli"),
        (
            "pom.xml",
            "<packaging>pom</packaging> spring-boot-maven-plugin spring-boot-starter-web",
        ),
        (
            "build.gradle",
            "// id 'org.springframework.boot'\n// spring-boot-starter-web",
        ),
        (
            "build.gradle",
            "plugins { id 'org.springframework.boot' version '3' apply false\n}\n'spring-boot-starter-web'",
        ),
        (
            "pom.xml",
            "<!-- spring-boot-maven-plugin spring-boot-starter-web",
        ),
    ] {
        let files = [(file, text), ("src/main/java/A.java", "")];
        assert!(checkout(&files, &[]).services.is_empty(), "{text}");
    }
}

#[test]
fn ignores_a_parent_without_sources() {
    assert!(
        checkout(&[("build.gradle", GRADLE)], &[])
            .services
            .is_empty()
    );
}
