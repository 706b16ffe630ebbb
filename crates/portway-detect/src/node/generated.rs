//! Code that is generated from a schema when the packages are installed: the client of Prisma.

use super::manager::Managed;
use super::package::Package;
use crate::Dir;

/// Scripts that run before the server, or are it.
const BEFORE: [&str; 8] = [
    "install",
    "postinstall",
    "prepare",
    "predev",
    "prestart",
    "dev",
    "start",
    "start:dev",
];

/// Returns the command that generates the client of Prisma, with the evidence, if nothing else does. The
/// package generates it when it is installed, but not for a schema in an unusual place, and not with
/// managers that skip the install scripts of packages.
pub(super) fn command(
    dir: &Dir<'_>,
    package: &Package,
    managed: &Managed,
) -> Option<(String, String)> {
    let is_own = managed.root == dir.path();
    if !is_own || !package.has("@prisma/client") || !package.has("prisma") {
        return None;
    }
    let mut before = BEFORE.iter().filter_map(|name| package.scripts.get(*name));
    if before.any(|script| script.contains("generate")) {
        return None;
    }
    let manifest = dir.json("package.json")?;
    let place = match manifest["prisma"]["schema"].as_str() {
        Some(place) => place,
        None if managed.skips_install_scripts() && has_usual(dir) => "prisma/schema.prisma",
        None => return None,
    };
    let evidence = format!(
        "its database client is generated from {}",
        dir.path_of(place)
    );
    Some((format!("{} prisma generate", managed.exec()), evidence))
}

/// Whether the schema is where Prisma looks for it.
fn has_usual(dir: &Dir<'_>) -> bool {
    let place = dir.sub("prisma");
    place.is_some_and(|place| place.has("schema.prisma"))
}

#[cfg(test)]
mod tests {
    use crate::fixture::only;

    #[test]
    fn generates_the_client_of_prisma_if_nothing_else_does() {
        let package = |scripts: &str, more: &str| {
            format!(
                "{{\"scripts\": {{\"dev\": \"next dev\"{scripts}}}, \"dependencies\": {{\"next\": \"1\", \
                 \"prisma\": \"6\", \"@prisma/client\": \"6\"}}{more}}}"
            )
        };
        let elsewhere = ", \"prisma\": {\"schema\": \"db/schema.prisma\"}";
        let postinstall = ", \"postinstall\": \"prisma generate\"";
        for (scripts, more, lock, expected) in [
            (
                "",
                elsewhere,
                "package-lock.json",
                Some("npm exec -- prisma generate"),
            ),
            ("", "", "package-lock.json", None),
            ("", "", "pnpm-lock.yaml", Some("pnpm exec prisma generate")),
            (postinstall, elsewhere, "pnpm-lock.yaml", None),
        ] {
            let text = package(scripts, more);
            let files = [
                ("package.json", text.as_str()),
                (lock, ""),
                ("prisma/schema.prisma", ""),
            ];
            let found = only(&files, &["npm", "pnpm"]);
            let prepare = found.prepare.unwrap_or_default();
            let second = prepare.split_once(" && ").map(|(_, second)| second);
            assert_eq!(second, expected, "{prepare}");
        }
    }
}
