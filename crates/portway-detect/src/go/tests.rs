use crate::DetectedPort;
use crate::fixture::{checkout, only};

const MOD: (&str, &str) = ("go.mod", "module example.com/shop\n\ngo 1.22\n");
const LITERAL: &str = "package main\n\nimport \"net/http\"\n\nfunc main() {\n\thttp.ListenAndServe(\":8081\", nil)\n}\n";
const PORT: &str = "package main\nfunc main() {\n\tport := os.Getenv(\"PORT\")\n\tif port == \"\" { port = \"9090\" }\n\tlog.Fatal(http.ListenAndServe(\":\"+port, nil))\n}\n";

#[test]
fn detects_a_main_package_that_listens() {
    let found = only(&[MOD, ("main.go", PORT)], &["go"]);
    assert_eq!(found.command, "go run .");
    assert_eq!(found.prepare.as_deref(), Some("go build -o /dev/null ."));
    assert_eq!((found.framework, found.prefers()), ("go", Some(9090)));
    assert!(found.env.is_empty());
    found
        .has_evidence("main.go:5 serves HTTP with `ListenAndServe`")
        .has_evidence("main.go:3 reads its port from `PORT`");
    let found = only(&[MOD, ("main.go", LITERAL)], &[]);
    assert_eq!(found.port, Some(DetectedPort::Fixed(8081)));
    found
        .has_evidence("main.go:6 requires port 8081")
        .has_evidence("it requires `go`, which is not installed");
}

#[test]
fn runs_commands_in_the_module_directory() {
    let detection = checkout(
        &[
            ("back/go.mod", "module example.com/shop"),
            (
                "back/cmd/api/main.go",
                "package main\nimport \"example.com/shop/internal/server\"\nfunc main() { server.Run() }",
            ),
            ("back/cmd/admin/main.go", LITERAL),
            (
                "back/cmd/migrate/main.go",
                "package main\nimport \"example.com/shop/internal/db\"\nfunc main() {}",
            ),
            (
                "back/internal/server/server.go",
                "package server\nimport \"example.com/shop/internal/config\"\nfunc Run() { srv := &http.Server{Addr: config.Addr()} }",
            ),
            (
                "back/internal/config/config.go",
                "package config\nfunc Addr() { return \":\" + os.Getenv(\"HTTP_PORT\") }",
            ),
            ("back/internal/db/db.go", "package db"),
            ("back/tools/go.mod", "module example.com/tools"),
            ("back/tools/main.go", "package main\nfunc main() {}"),
        ],
        &["go"],
    );
    let services: Vec<_> = detection
        .services
        .iter()
        .map(|s| (s.name.as_str(), s.dir.as_str(), s.command.as_str()))
        .collect();
    assert_eq!(
        services,
        [
            ("admin", "back", "go run ./cmd/admin"),
            ("api", "back", "go run ./cmd/api")
        ]
    );
    let api = &detection.services[1];
    assert_eq!(api.env["HTTP_PORT"], "{port}");
    api.has_evidence("back/internal/server/server.go:3 serves HTTP with `http.Server`");
}

#[test]
fn detects_frameworks_flags_and_subcommands() {
    let gin = "package main\nimport \"github.com/gin-gonic/gin\"\nfunc main() {\n\tr := gin.Default()\n\tr.Run()\n}";
    let found = only(&[MOD, ("main.go", gin)], &["go"]);
    assert_eq!((found.framework, found.prefers()), ("gin", Some(8080)));
    let echo =
        "package main\nimport \"github.com/labstack/echo/v4\"\nfunc main() { e.Start(\":1323\") }";
    let found = only(&[MOD, ("main.go", echo)], &["go"]);
    assert_eq!(found.port, Some(DetectedPort::Fixed(1323)));
    for (flag, argument, usual) in [
        (
            "flag.String(\"addr\", \":4000\", \"address\")",
            "-addr {host}:{port}",
            4000,
        ),
        (
            "flag.IntVar(&c.port, \"port\", 4001, \"port\")",
            "-port {port}",
            4001,
        ),
    ] {
        let main = format!(
            "package main\nfunc main() {{\n\taddr := {flag}\n\thttp.ListenAndServe(*addr, nil)\n}}"
        );
        let found = only(&[MOD, ("main.go", &main)], &["go"]);
        assert_eq!(found.command, format!("go run . {argument}"));
        assert_eq!(found.prefers(), Some(usual));
    }
    let found = only(
        &[
            MOD,
            (
                "main.go",
                "package main\nimport \"example.com/shop/cmd\"\nfunc main() { cmd.Execute() }",
            ),
            (
                "cmd/serve.go",
                "package cmd\nimport \"github.com/spf13/cobra\"\nvar c = &cobra.Command{\n\tUse:   \"serve [flags]\",\n}\nfunc f() { http.ListenAndServe(addr, nil) }",
            ),
        ],
        &["go"],
    );
    assert_eq!(found.command, "go run . serve");
    found
        .has_evidence("cmd/serve.go:4 has the subcommand `serve`")
        .has_evidence("its source does not say");
}

#[test]
fn ignores_libraries_and_tools() {
    for (file, text) in [
        (
            "server.go",
            "package shop\nfunc f() { http.ListenAndServe(\":80\", nil) }",
        ),
        (
            "main.go",
            "package main\nfunc main() { http.Get(\"http://localhost:80\") }",
        ),
        ("main_test.go", LITERAL),
        (
            "main.go",
            "//go:build ignore\npackage main\nfunc f() { http.ListenAndServe(\":80\", nil) }",
        ),
        (
            "main.go",
            "package main\n// http.ListenAndServe(\":80\", nil)",
        ),
    ] {
        let detection = checkout(&[MOD, (file, text)], &[]);
        assert!(detection.services.is_empty(), "{detection:#?}");
    }
    assert!(checkout(&[("main.go", LITERAL)], &[]).services.is_empty());
}
