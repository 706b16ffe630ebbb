//! Names of directories that detection skips: build output, and material to read or test rather than to run.

/// Directories of tools and their output, in addition to hidden ones.
const GENERATED: [&str; 15] = [
    "__pycache__",
    "build",
    "coverage",
    "dist",
    "env",
    "node_modules",
    "out",
    "public",
    "site-packages",
    "static",
    "target",
    "tmp",
    "vendor",
    "venv",
    "virtualenv",
];

/// Directories that may contain projects, which are material to read or to test.
const MATERIAL: [&str; 29] = [
    "__fixtures__",
    "__mocks__",
    "__tests__",
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "doc",
    "docs",
    "e2e",
    "example",
    "examples",
    "fixture",
    "fixtures",
    "playground",
    "playgrounds",
    "sandbox",
    "sandboxes",
    "spec",
    "specs",
    "template",
    "templates",
    "test",
    "test-projects",
    "testdata",
    "testing",
    "tests",
    "third-party",
    "third_party",
];

/// Ends of names of directories that are such material: `web-e2e`.
const MATERIAL_ENDS: [&str; 4] = ["-e2e", "-examples", "-fixtures", "-playground"];

/// Returns whether detection skips directories with this name.
pub(super) fn is_skipped(dir: &str) -> bool {
    dir.starts_with('.')
        || is_build(dir)
        || is_material(dir)
        || GENERATED.contains(&dir.to_lowercase().as_str())
}

/// Returns whether a directory with this name contains files that a server serves as they are. Some contain a
/// project that builds them.
pub(super) fn is_assets(dir: &str) -> bool {
    ["public", "static"].contains(&dir.to_lowercase().as_str())
}

/// Returns whether a directory with this name is the output of a build: `dist`, `dist-package`.
pub(super) fn is_build(dir: &str) -> bool {
    let dir = dir.to_lowercase();
    ["dist", "build"].contains(&dir.as_str())
        || dir.starts_with("dist-")
        || dir.starts_with("dist_")
}

/// Returns whether a directory with this name contains material to read or to test: `examples`, `web-e2e`,
/// `template-react`.
pub(super) fn is_material(dir: &str) -> bool {
    let dir = dir.to_lowercase();
    MATERIAL.contains(&dir.as_str())
        || dir.starts_with("template-")
        || MATERIAL_ENDS.iter().any(|end| dir.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::checkout;

    #[test]
    fn knows_what_is_not_to_be_run() {
        for (name, skipped, material, build) in [
            ("web", false, false, false),
            ("app", false, false, false),
            ("templating", false, false, false),
            ("testimonials", false, false, false),
            (".git", true, false, false),
            ("Node_Modules", true, false, false),
            ("dist-package", true, false, true),
            ("Examples", true, true, false),
            ("playground", true, true, false),
            ("__fixtures__", true, true, false),
            ("web-e2e", true, true, false),
            ("my_example", false, false, false),
            ("template-react", true, true, false),
        ] {
            assert_eq!(
                (is_skipped(name), is_material(name), is_build(name)),
                (skipped, material, build),
                "{name}"
            );
        }
    }

    #[test]
    fn test_projects_of_a_library_start_on_request_only() {
        let web = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}";
        let detection = checkout(
            &[
                (
                    "pnpm-workspace.yaml",
                    "packages: ['packages/*', 'playground/**']",
                ),
                ("package.json", "{}"),
                ("packages/web-e2e/package.json", web),
                ("playground/basic/package.json", web),
                ("sandbox/package.json", web),
                ("template-vue/package.json", web),
            ],
            &["pnpm"],
        );
        let found: Vec<(&str, bool)> = detection
            .services
            .iter()
            .map(|one| (one.dir.as_str(), one.optional))
            .collect();
        assert_eq!(
            found,
            [("packages/web-e2e", true), ("playground/basic", true)]
        );
        let listed: Vec<&str> = detection
            .passed_over
            .iter()
            .map(|one| one.file.as_str())
            .collect();
        assert_eq!(
            listed,
            ["sandbox/package.json", "template-vue/package.json"]
        );
    }
}
