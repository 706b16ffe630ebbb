//! Scripts of one package that each start their own file: port, framework and kind come from that file and what
//! it imports.

use crate::fixture::checkout;
use crate::{DetectedPort, DetectedService, Detection};
use portway_project::kind::Kind;

const PACKAGE: &str = r#"{"scripts": {
    "dev": "concurrently npm:push npm:rpc npm:line npm:graph npm:live npm:api npm:typed",
    "push": "tsx src/push.ts", "rpc": "tsx src/rpc.ts", "line": "node line.js", "graph": "node graph.js",
    "live": "node live.js", "api": "tsx src/api/main.ts", "typed": "tsx typed.ts"},
    "dependencies": {"ws": "8", "@grpc/grpc-js": "1", "@apollo/server": "4", "socket.io": "4", "fastify": "5",
    "@trpc/server": "11"}}"#;

const FILES: [(&str, &str); 9] = [
    ("package.json", PACKAGE),
    (
        "src/push.ts",
        "import { WebSocketServer } from 'ws'\nnew WebSocketServer({\n  port: Number(process.env.PUSH_PORT ?? 4101),\n})",
    ),
    (
        "src/rpc.ts",
        "import * as grpc from '@grpc/grpc-js'\nnew grpc.Server().bindAsync(`0.0.0.0:${process.env.RPC_PORT ?? 50071}`, x)",
    ),
    (
        "line.js",
        "require('node:net').createServer().listen(process.env.LINE_PORT || 7107)",
    ),
    (
        "graph.js",
        "const { startStandaloneServer } = require('@apollo/server/standalone')\nstartStandaloneServer(s, { listen: { port: process.env.GRAPH_PORT || 4144 } })",
    ),
    (
        "live.js",
        "const { Server } = require('socket.io')\nconst io = new Server(3133)",
    ),
    (
        "src/api/main.ts",
        "import fastify from 'fastify'\nimport { settings } from './settings.js'\nfastify().listen(settings)",
    ),
    (
        "src/api/settings.ts",
        "export const settings = { port: Number(process.env.API_PORT ?? 3555) }",
    ),
    (
        "typed.ts",
        "import { createHTTPServer } from '@trpc/server/adapters/standalone'\ncreateHTTPServer({}).listen(2122)",
    ),
];

fn service<'a>(detection: &'a Detection, name: &str) -> &'a DetectedService {
    let mut all = detection.services.iter();
    all.find(|one| one.name == name)
        .unwrap_or_else(|| panic!("no {name} in {detection:#?}"))
}

#[test]
fn each_script_has_the_port_of_its_own_file() {
    let detection = checkout(&FILES, &["npm", "node"]);
    for (name, framework, kind, port, variable) in [
        (
            "push",
            "ws",
            Kind::Http,
            DetectedPort::Preferred(4101),
            Some("PUSH_PORT"),
        ),
        (
            "rpc",
            "grpc",
            Kind::Tcp,
            DetectedPort::Preferred(50071),
            Some("RPC_PORT"),
        ),
        (
            "line",
            "node",
            Kind::Tcp,
            DetectedPort::Preferred(7107),
            Some("LINE_PORT"),
        ),
        (
            "graph",
            "apollo",
            Kind::Http,
            DetectedPort::Preferred(4144),
            Some("GRAPH_PORT"),
        ),
        (
            "live",
            "socket.io",
            Kind::Http,
            DetectedPort::Fixed(3133),
            None,
        ),
        (
            "api",
            "fastify",
            Kind::Http,
            DetectedPort::Preferred(3555),
            Some("API_PORT"),
        ),
        ("typed", "trpc", Kind::Http, DetectedPort::Fixed(2122), None),
    ] {
        let found = service(&detection, name);
        assert_eq!(found.framework, framework, "{name}");
        assert_eq!(found.kind, kind, "{name}");
        assert_eq!(found.port, Some(port), "{name}");
        let set: Vec<&str> = found.env.keys().map(String::as_str).collect();
        assert_eq!(set, Vec::from_iter(variable), "{name}");
    }
}

#[test]
fn a_file_that_names_no_port_does_not_get_that_of_another_script() {
    let package = r#"{"scripts": {"dev": "concurrently npm:one npm:two", "one": "node one.js", "two": "node two.js"},
        "dependencies": {"express": "5"}}"#;
    let detection = checkout(
        &[
            ("package.json", package),
            ("one.js", "require('express')().listen(argument)"),
            (
                "two.js",
                "require('express')().listen(process.env.TWO_PORT || 4222)",
            ),
        ],
        &["npm", "node"],
    );
    let one = service(&detection, "one");
    assert_eq!(one.prefers(), Some(3000));
    one.has_evidence("no file shows how it reads its port");
    assert_eq!(service(&detection, "two").prefers(), Some(4222));
}

#[test]
fn a_script_keeps_its_runner_of_any_name() {
    for runner in [
        "babel-watch",
        "sucrase-node",
        "ts-node-esm",
        "esrun",
        "supervisor",
        "npx jiti",
        "forever -w",
    ] {
        let package = format!(
            "{{\"scripts\": {{\"dev\": \"{runner} src/index.js\"}}, \"dependencies\": {{\"express\": \"4\"}}}}"
        );
        let found = crate::fixture::only(
            &[
                ("package.json", &package),
                (
                    "src/index.js",
                    "import express from 'express'\nexpress().listen(process.env.PORT || 4109)",
                ),
            ],
            &["npm", "node"],
        );
        assert_eq!(found.command, "npm run dev", "{runner}");
        assert_eq!(found.prefers(), Some(4109), "{runner}");
    }
}
