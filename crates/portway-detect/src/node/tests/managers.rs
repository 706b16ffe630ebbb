use super::*;

#[test]
fn detects_managers_by_lock_file_and_declaration() {
    for (file, text, programs, command, prepare) in [
        (
            "package-lock.json",
            "",
            &["npm"][..],
            "npm run dev -- --port {port} --strictPort",
            "npm install --no-save --no-audit --no-fund",
        ),
        (
            "package-lock.json",
            "{\n  \"name\": \"shop\",\n  \"lockfileVersion\": 1,\n  \"requires\": true\n}",
            &["npm"],
            "npm run dev -- --port {port} --strictPort",
            "npm install --no-save --no-audit --no-fund --legacy-peer-deps",
        ),
        (
            "package-lock.json",
            "{\n  \"name\": \"shop\",\n  \"lockfileVersion\": 3,\n  \"requires\": true\n}",
            &["npm"],
            "npm run dev -- --port {port} --strictPort",
            "npm install --no-save --no-audit --no-fund",
        ),
        (
            "pnpm-lock.yaml",
            "",
            &["pnpm"],
            "pnpm run dev --port {port} --strictPort",
            "pnpm install --frozen-lockfile --config.strict-dep-builds=false",
        ),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '6.0'",
            &["pnpm", "npx"],
            "pnpm run dev --port {port} --strictPort",
            "npx --yes pnpm@8 install --frozen-lockfile",
        ),
        (
            "yarn.lock",
            "",
            &["yarn"],
            "yarn run dev --port {port} --strictPort",
            "yarn install --pure-lockfile",
        ),
        (
            "bun.lock",
            "",
            &["bun"],
            "bun run dev --port {port} --strictPort",
            "bun install --no-save",
        ),
        (
            "pnpm-lock.yaml",
            "",
            &["corepack"],
            "corepack pnpm run dev --port {port} --strictPort",
            "corepack pnpm install --frozen-lockfile --config.strict-dep-builds=false",
        ),
    ] {
        let package = manifest("\"dev\": \"vite\"", &["vite"]);
        let found = only(&[("package.json", &package), (file, text)], programs);
        assert_eq!(
            (found.command.as_str(), found.prepare.as_deref()),
            (command, Some(prepare))
        );
        found.has_evidence(&format!("{file} exists"));
    }
    let declared = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"8\"}, \"packageManager\": \"pnpm@9.1.0\"}";
    let old = ("pnpm-lock.yaml", "lockfileVersion: '6.0'");
    let found = only(&[("package.json", declared), old], &["pnpm", "npx"]);
    let prepare = "pnpm install --frozen-lockfile";
    assert_eq!(found.prepare.as_deref(), Some(prepare));
    let declared = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"8\"}, \"packageManager\": \"yarn@4.1.0+sha\"}";
    let found = only(&[("package.json", declared), ("yarn.lock", "")], &["yarn"]);
    assert_eq!(found.prepare.as_deref(), Some("yarn install --immutable"));
    let found = only(&[("package.json", declared)], &[]);
    found.has_evidence("`packageManager` in package.json is yarn@4.1.0+sha");
    found.has_evidence("`yarn` is not installed");
}

#[test]
fn installs_workspace_members_at_the_root() {
    let web = manifest("\"dev\": \"vite\"", &["vite"]);
    let api = manifest("\"dev\": \"tsx src/a.ts\"", &["express"]);
    let npm = (
        "package.json",
        "{\"workspaces\": [\"apps/*\"], \"scripts\": {\"dev\": \"turbo dev\"}}",
    );
    let pnpm = ("pnpm-workspace.yaml", "packages: ['apps/*']");
    for (root, programs, prepare) in [
        (
            npm,
            &["npm"][..],
            "npm install --no-save --no-audit --no-fund",
        ),
        (pnpm, &["pnpm"], "pnpm install --no-lockfile"),
    ] {
        let lock = match root == pnpm {
            true => ("package.json", "{\"packageManager\": \"pnpm@9\"}"),
            false => ("package-lock.json", "{}"),
        };
        let files = [
            root,
            lock,
            ("apps/web/package.json", web.as_str()),
            ("apps/api/package.json", api.as_str()),
            ("apps/api/src/a.ts", ""),
        ];
        let detection = checkout(&files, programs);
        assert_eq!(names(&detection), ["api", "web"]);
        for found in &detection.services {
            assert_eq!(found.prepare.as_deref(), Some(prepare));
            assert_eq!(found.prepare_dir.as_deref(), Some(""));
            found.has_evidence(&format!("it is a member of the workspace of {}", root.0));
        }
        let text = detection.manifest("p");
        let line = format!("prepare = {{ command = \"{prepare}\", dir = \".\" }}");
        assert_eq!(text.matches(&line).count(), 2, "{text}");
    }
}

#[test]
fn reports_a_broken_package_and_finds_the_rest() {
    for (broken, why) in [
        ("{\"scripts\": ", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ("\"x\"", "is not a JSON object"),
    ] {
        let good = manifest("\"dev\": \"vite\"", &["vite"]);
        let files = [
            ("web/package.json", good.as_str()),
            ("api/package.json", broken),
        ];
        let detection = checkout(&files, NPM);
        assert_eq!(names(&detection), ["web"]);
        assert_eq!(detection.skipped.len(), 1, "{detection:#?}");
        assert_eq!(detection.skipped[0].file, "api/package.json");
        assert!(detection.skipped[0].why.contains(why), "{detection:#?}");
    }
    for odd in [
        "{\"scripts\": [1], \"dependencies\": 3, \"workspaces\": {\"packages\": 3}, \"packageManager\": 1, \"main\": []}",
        "{\"scripts\": {\"dev\": [1]}, \"workspaces\": [1, null, \"**/**/**/**/**/**/**/**/**/*\"]}",
        "{}",
    ] {
        assert!(checkout(&[("package.json", odd)], NPM).services.is_empty());
    }
}

#[test]
fn finds_members_of_a_workspace_at_any_depth() {
    let next = manifest("\"dev\": \"next dev\"", &["next"]);
    let library = "{\"name\": \"ui\", \"scripts\": {\"build\": \"tsc\"}}";
    let detection = checkout(
        &[
            (
                "clients/package.json",
                "{\"packageManager\": \"pnpm@10.0.0\"}",
            ),
            (
                "clients/pnpm-workspace.yaml",
                "packages: [apps/*, 'packages/**', examples/*, '!apps/old']\n",
            ),
            ("clients/apps/web/package.json", &next),
            ("clients/apps/old/package.json", &next),
            ("clients/apps/node_modules/x/package.json", &next),
            ("clients/packages/a/b/site/package.json", &next),
            ("clients/packages/ui/package.json", library),
            ("clients/examples/basic/package.json", &next),
            ("clients/other/deep/app/package.json", &next),
        ],
        &["pnpm"],
    );
    let found: Vec<_> = detection
        .services
        .iter()
        .map(|found| (found.dir.as_str(), found.optional))
        .collect();
    assert_eq!(
        found,
        [
            ("clients/apps/web", false),
            ("clients/packages/a/b/site", false),
            ("clients/examples/basic", true),
        ]
    );
    let web = &detection.services[0];
    assert_eq!(web.command, "pnpm run dev --port {port}");
    assert_eq!(web.prepare_dir.as_deref(), Some("clients"));
    web.has_evidence("a member of the workspace of clients/pnpm-workspace.yaml");
    detection.services[2].has_evidence("it is below `examples`, so it is optional");
}

#[test]
fn corepack_gets_the_pnpm_that_wrote_the_lock_file() {
    let text = manifest("\"dev\": \"vite\"", &["vite"]);
    for (lock, program) in [
        ("lockfileVersion: '9.0'\n", "corepack pnpm@9"),
        ("lockfileVersion: '6.0'\n", "corepack pnpm@8"),
        ("lockfileVersion: 5.4\n", "corepack pnpm@7"),
        ("", "corepack pnpm"),
    ] {
        let files = [("package.json", text.as_str()), ("pnpm-lock.yaml", lock)];
        let found = only(&files, &["corepack"]);
        // Any pnpm, the newest too, must accept packages with build scripts.
        let tolerant = match lock {
            "" => " --config.strict-dep-builds=false",
            _ => "",
        };
        let expected = format!("{program} install --frozen-lockfile{tolerant}");
        assert_eq!(found.prepare.as_deref(), Some(expected.as_str()));
    }
}

#[test]
fn large_lock_files_are_read_as_well() {
    let package = manifest("\"dev\": \"vite\"", &["vite"]);
    let rest = "x".repeat(2 << 20);
    for (file, start, programs, install) in [
        (
            "package-lock.json",
            "{\n  \"lockfileVersion\": 1,\n",
            &["npm"][..],
            "npm install --no-save --no-audit --no-fund --legacy-peer-deps",
        ),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '6.0'\n",
            &["pnpm", "npx"],
            "npx --yes pnpm@8 install --frozen-lockfile",
        ),
    ] {
        let lock = format!("{start}{rest}");
        let files = [("package.json", package.as_str()), (file, &lock)];
        let detection = checkout(&files, programs);
        assert_eq!(detection.services[0].prepare.as_deref(), Some(install));
        assert_eq!(detection.skipped, [], "{file}");
    }
}
