//! Site generators that are not Node packages: Hugo and Jekyll.

use super::ruby::Gems;
use super::{DetectContext, DetectedService, Dir};
use portway_project::kind::Kind;

/// Detects the sites in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let site = hugo(dir, context).or_else(|| jekyll(dir, context));
    site.into_iter().collect()
}

fn hugo(dir: &Dir<'_>, context: &DetectContext<'_>) -> Option<DetectedService> {
    const OWN: [&str; 4] = ["hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json"];
    const OLD: [&str; 4] = ["config.toml", "config.yaml", "config.yml", "config.json"];
    // A theme has such a file too, but only the site that uses it is served. `config/_default`
    // belongs to the site two levels above.
    if dir.path().ends_with("config/_default")
        || ["theme.toml", "theme.yaml"]
            .iter()
            .any(|file| dir.has(file))
    {
        return None;
    }
    let file = match dir.first_of(&OWN) {
        Some(file) => file.to_owned(),
        None => match dir.below("config/_default") {
            Some(config) => format!("config/_default/{}", config.first_of(&OWN)?),
            None => {
                // The file name is common, so other files must identify the site.
                let file = dir.first_of(&OLD)?;
                dir.sub("content")?;
                let beside = ["archetypes", "layouts", "themes"];
                let text = dir.read(file).unwrap_or_default();
                let is_hugos = beside.iter().any(|name| dir.sub(name).is_some())
                    && text.to_lowercase().contains("baseurl");
                is_hugos.then(|| file.to_owned())?
            }
        },
    };
    let command = "hugo server --bind {host} --port {port}";
    let found = DetectedService::http(dir, "hugo", command, context.port("hugo", 1313))
        .with_kind(Kind::Frontend)
        .with_evidence(format!("{} is Hugo's configuration", dir.path_of(&file)));
    Some(found.requiring("hugo", context))
}

fn jekyll(dir: &Dir<'_>, context: &DetectContext<'_>) -> Option<DetectedService> {
    let file = dir.first_of(&["_config.yml", "_config.yaml", "_config.toml"])?;
    let gems = Gems::read(dir);
    let named = gems.first_of(&["jekyll", "github-pages"]);
    let beside = ["_posts", "_layouts", "_includes"];
    let evidence = match named {
        Some((_, evidence)) => format!("{evidence}, and {} exists", dir.path_of(file)),
        None => {
            let beside = beside.iter().find(|name| dir.sub(name).is_some())?;
            format!(
                "{} is Jekyll's configuration, with {beside} beside it",
                dir.path_of(file)
            )
        }
    };
    let command = gems.program("jekyll serve --host {host} --port {port}");
    let found = DetectedService::http(dir, "jekyll", command, context.port("jekyll", 4000))
        .with_kind(Kind::Frontend)
        .with_evidence(evidence);
    Some(gems.finish(found, context))
}

#[cfg(test)]
mod tests {
    use crate::fixture::{checkout, only};
    use portway_project::kind::Kind;

    #[test]
    fn detects_hugo_by_its_configuration() {
        for files in [
            &[("hugo.toml", "baseURL = 'x'")][..],
            &[("config/_default/hugo.yaml", "")],
            &[
                ("config.toml", "baseURL = 'x'"),
                ("content/a.md", ""),
                ("themes/x/theme.toml", ""),
            ],
        ] {
            let found = only(files, &["hugo"]);
            assert_eq!(found.command, "hugo server --bind {host} --port {port}");
            assert_eq!((found.kind, found.prefers()), (Kind::Frontend, Some(1313)));
            assert_eq!(found.name, "frontend");
        }
        only(&[("hugo.toml", "")], &[]).has_evidence("it requires `hugo`");
    }

    #[test]
    fn detects_jekyll_by_its_gem_or_directories() {
        let found = only(&[("_config.yml", ""), ("Gemfile", "gem \"jekyll\"")], &[]);
        assert_eq!(
            found.command,
            "bundle exec jekyll serve --host {host} --port {port}"
        );
        assert!(found.prepare.is_some());
        let found = only(&[("_config.yml", ""), ("_posts/x.md", "")], &[]);
        assert_eq!(found.command, "jekyll serve --host {host} --port {port}");
        assert_eq!((found.kind, found.prefers()), (Kind::Frontend, Some(4000)));
    }

    #[test]
    fn ignores_themes_and_unrelated_configuration() {
        for files in [
            &[("hugo.toml", ""), ("theme.toml", "")][..],
            &[("config.toml", "x = 1"), ("content/a", "")],
            &[("_config.yml", "")],
        ] {
            assert!(checkout(files, &[]).services.is_empty());
        }
    }
}
