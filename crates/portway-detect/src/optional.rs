//! Which services are optional because they are not part of the application: previews, examples, documentation,
//! sites and demos.

use super::skipped::is_assets;
use super::{DetectedService, Dir, node};
use portway_project::kind::Kind;

/// Makes services optional that are not part of the application: previews, examples, documentation and sites.
pub(super) fn make_others_optional(root: &Dir<'_>, services: &mut [DetectedService]) {
    make_previews_optional(services);
    make_examples_optional(services);
    make_sites_optional(root, services);
    node::make_unselected_optional(root, services);
}

/// Makes services optional whose directory has a name that detection skips: they are members of a
/// workspace, but examples, documentation or tests.
fn make_examples_optional(services: &mut [DetectedService]) {
    for service in services {
        let mut parts = service.dir.split('/').filter(|part| !part.is_empty());
        if let Some(part) = parts.find(|part| super::is_skipped(part) && !is_assets(part)) {
            service
                .evidence
                .push(format!("it is below `{part}`, so it is optional"));
            service.optional = true;
        }
    }
}

/// Generators of documentation.
const DOCUMENTATION: [&str; 6] = [
    "docsify",
    "docusaurus",
    "mintlify",
    "mkdocs",
    "vitepress",
    "vuepress",
];

/// Names of directories with a site about the project.
const SITES: [&str; 7] = [
    "homepage",
    "landing",
    "landing-page",
    "landingpage",
    "marketing",
    "marketing-site",
    "website",
];

/// Generators of sites, which serve no application.
const GENERATORS: [&str; 6] = ["astro", "eleventy", "gatsby", "hexo", "hugo", "jekyll"];

/// Names of directories with an application that shows what the project does.
const DEMOS: [&str; 4] = ["demo", "demos", "showcase", "storybook"];

/// Manifests of projects in the root, about which a directory below may be a site.
const MANIFESTS: [&str; 8] = [
    "Cargo.toml",
    "Gemfile",
    "composer.json",
    "go.mod",
    "mix.exs",
    "pom.xml",
    "pyproject.toml",
    "setup.py",
];

/// Makes sites about the project and its demos optional: documentation, its website beside another frontend,
/// and applications in a directory for demos beside others.
fn make_sites_optional(root: &Dir<'_>, services: &mut [DetectedService]) {
    let last = |one: &DetectedService| {
        let name = one.dir.rsplit('/').next().unwrap_or("");
        name.to_ascii_lowercase()
    };
    let is_frontend = |one: &DetectedService| one.kind == Kind::Frontend && one.port.is_some();
    let is_site = |one: &DetectedService| {
        let mut parts = one.dir.split('/');
        is_frontend(one) && parts.any(|part| SITES.contains(&part.to_ascii_lowercase().as_str()))
    };
    let is_generated = |one: &DetectedService| GENERATORS.contains(&one.framework);
    let is_demo = |one: &DetectedService| {
        one.port.is_some() && DEMOS.contains(&last(one).as_str()) && one.dir.contains('/')
    };
    let is_documentation =
        |one: &DetectedService| DOCUMENTATION.contains(&one.framework) && !one.dir.is_empty();
    let is_application = |one: &DetectedService| {
        let is_other = is_site(one) || is_demo(one) || is_documentation(one);
        one.port.is_some() && !one.optional && !is_other
    };
    let has_application = services.iter().any(is_application);
    let has_frontend = services
        .iter()
        .any(|one| is_application(one) && is_frontend(one));
    let has_project = root.first_of(&MANIFESTS).is_some();
    for service in services.iter_mut().filter(|one| !one.optional) {
        let why = match () {
            () if is_documentation(service) && (has_application || has_project) => {
                "it is the documentation of the project"
            }
            () if is_site(service)
                && (has_frontend || (has_application && is_generated(service))) =>
            {
                "it is a site about the project"
            }
            () if is_demo(service) && has_application => "it is a demo",
            () => continue,
        };
        service.optional = true;
        service.evidence.push(format!("{why}, so it is optional"));
    }
}

/// Frameworks that show parts of an application, which works without them.
const PREVIEWS: [&str; 4] = ["histoire", "ladle", "react-email", "storybook"];

/// Makes previews optional, unless the checkout has nothing else to start.
fn make_previews_optional(services: &mut [DetectedService]) {
    let is_preview = |one: &DetectedService| PREVIEWS.contains(&one.framework);
    let has_others = services.iter().any(|one| !is_preview(one) && !one.optional);
    for preview in services.iter_mut().filter(|one| is_preview(one)) {
        let was_optional = std::mem::replace(&mut preview.optional, has_others);
        if has_others && !was_optional {
            preview.evidence.push(
                "it shows parts of the application, which works without it, so it is optional"
                    .into(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    /// Returns the directories of the optional services.
    fn optional(files: &[(&str, &str)]) -> Vec<String> {
        let detection = checkout(files, &["npm"]);
        let all = detection.services.into_iter();
        all.filter(|one| one.optional).map(|one| one.dir).collect()
    }

    fn package(tool: &str) -> String {
        format!("{{\"scripts\": {{\"dev\": \"{tool}\"}}}}")
    }

    #[test]
    fn a_site_about_the_project_starts_on_request_only() {
        let (vite, astro, vitepress) = (
            package("vite"),
            package("astro dev"),
            package("vitepress dev"),
        );
        let express = "{\"scripts\": {\"dev\": \"nest start\"}}".to_owned();
        for (files, expected) in [
            // The website is beside the frontend of the application, or is all of it.
            (
                &[
                    ("apps/shop/package.json", &vite),
                    ("apps/website/package.json", &astro),
                ][..],
                &["apps/website"][..],
            ),
            (&[("apps/website/package.json", &astro)], &[]),
            (
                &[
                    ("landing/package.json", &astro),
                    ("web/package.json", &vite),
                ],
                &["landing"],
            ),
            (
                &[
                    ("server/package.json", &express),
                    ("website/pages/package.json", &astro),
                ],
                &["website/pages"],
            ),
            (
                &[
                    ("server/package.json", &express),
                    ("website/package.json", &vite),
                ],
                &[],
            ),
            // Two applications.
            (
                &[
                    ("apps/admin/package.json", &vite),
                    ("apps/web/package.json", &vite),
                ],
                &[],
            ),
            // Documentation of a program.
            (
                &[
                    ("go.mod", &String::new()),
                    ("website/package.json", &vitepress),
                ],
                &["website"],
            ),
            (
                &[
                    ("web/package.json", &vite),
                    ("manual/package.json", &vitepress),
                ],
                &["manual"],
            ),
            (&[("package.json", &vitepress)], &[]),
            // A demo of a part.
            (
                &[
                    ("apps/shop/package.json", &vite),
                    ("packages/parser/demo/package.json", &astro),
                ],
                &["packages/parser/demo"],
            ),
        ] {
            let mut files: Vec<(&str, &str)> = files
                .iter()
                .map(|(path, text)| (*path, text.as_str()))
                .collect();
            files.push(("pnpm-workspace.yaml", "packages: ['packages/**']"));
            assert_eq!(optional(&files), expected, "{files:?}");
        }
    }
}
