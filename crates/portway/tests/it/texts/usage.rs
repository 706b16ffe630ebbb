//! Invalid command lines.

use crate::sandbox::two_services;
use crate::transcript::Transcript;

#[test]
fn usage_errors() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    for (title, arguments) in [
        ("no command", &[][..]),
        ("an unknown command", &["upp"]),
        ("a command of other tools", &["status"]),
        ("the same as JSON", &["kill", "web", "--json"]),
        ("an unknown option", &["ps", "--jsn"]),
        ("a missing argument", &["free"]),
        ("an unknown value of an option", &["up", "--moved", "aks"]),
        ("an unknown color", &["--color", "perhaps", "ps"]),
        (
            "options that exclude each other",
            &["up", "--lan", "--no-lan"],
        ),
        ("a port that is no port", &["who", "70000"]),
        (
            "a forced port without a service",
            &["detect", "--port", "9000"],
        ),
        (
            "a forced port that is no port",
            &["detect", "--port", "backend=0"],
        ),
        ("an invalid duration", &["wait", "--timeout", "soon"]),
        (
            "a duration of zero",
            &["health", "--watch", "--interval", "0s"],
        ),
        ("an invalid regular expression", &["logs", "--grep", "("]),
        ("`exec` without a command", &["exec", "--"]),
        ("a forwarded port that is no port", &["forward", "0"]),
        ("`--stop` without a port", &["forward", "--stop"]),
    ] {
        transcript.run(&sandbox, title, arguments).code(2);
    }
    transcript.assert("usage");
}

#[test]
fn unknown_services() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    for (title, arguments) in [
        ("a name that resembles a service", &["up", "bakend"][..]),
        ("a name that resembles none", &["up", "zzz"]),
        ("a port of an unknown service", &["port", "bakend"]),
        (
            "a named port that does not exist",
            &["port", "backend.grpc"],
        ),
        (
            "a forced port of an unknown service",
            &["detect", "--port", "bakend=9000"],
        ),
        (
            "an optional service that does not exist",
            &["detect", "--with", "redis"],
        ),
    ] {
        transcript.run(&sandbox, title, arguments).code(2);
    }
    transcript.assert("unknown-services");
}

#[test]
fn services_that_a_command_cannot_use() {
    let mut transcript = Transcript::default();
    let sandbox = crate::sandbox::Sandbox::new().manifest(
        "[services.worker]\ncommand = \"sleep 600\"\n\
         [services.cache]\ncommand = \"sleep 600\"\nkind = \"redis\"\nport = \"%0-%9\"\n\
         [services.mail]\ncommand = \"sleep 600\"\noptional = true\nport = \"%10-%19\"",
    );
    for (title, arguments) in [
        ("the port of a service without one", &["port", "worker"][..]),
        (
            "the health of a service without a port",
            &["health", "worker"],
        ),
        (
            "the fixed port of a service without HTTP",
            &["forward", "%30", "cache"],
        ),
        (
            "a fixed port without a service with HTTP",
            &["forward", "%30"],
        ),
        ("an optional service that is not enabled", &["up", "mail"]),
    ] {
        let arguments: Vec<String> = arguments.iter().map(|one| sandbox.expand(one)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        transcript.run(&sandbox, title, &arguments).code(2);
    }
    transcript.assert("unsuitable-services");
}
