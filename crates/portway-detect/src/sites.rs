//! Generators of sites that are no Node packages: Hugo and Jekyll.

use super::ruby::Gems;
use super::{Dir, Found, Surroundings};
use portway_project::kind::Kind;

/// The sites in `dir`.
pub(super) fn read(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let site = hugo(dir, surroundings).or_else(|| jekyll(dir, surroundings));
    site.into_iter().collect()
}

fn hugo(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Option<Found> {
    const OWN: [&str; 4] = ["hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json"];
    const OLD: [&str; 4] = ["config.toml", "config.yaml", "config.yml", "config.json"];
    // A theme has such a file as well, and is shown by the site that it is for; a site's own may lie
    // two levels below it.
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
                // The name is nothing special, what stands beside it is.
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
    let found = Found::http(dir, "hugo", command, surroundings.port("hugo", 1313))
        .of_kind(Kind::Frontend)
        .because(format!("{} is Hugo's configuration", dir.path_of(&file)));
    Some(found.needing("hugo", surroundings))
}

fn jekyll(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Option<Found> {
    let file = dir.first_of(&["_config.yml", "_config.yaml", "_config.toml"])?;
    let gems = Gems::read(dir);
    let named = gems.first_of(&["jekyll", "github-pages"]);
    let beside = ["_posts", "_layouts", "_includes"];
    let evidence = match named {
        Some((_, evidence)) => format!("{evidence}, and {} is there", dir.path_of(file)),
        None => {
            let beside = beside.iter().find(|name| dir.sub(name).is_some())?;
            format!(
                "{} is Jekyll's configuration, with {beside} beside it",
                dir.path_of(file)
            )
        }
    };
    let command = gems.program("jekyll serve --host {host} --port {port}");
    let found = Found::http(dir, "jekyll", command, surroundings.port("jekyll", 4000))
        .of_kind(Kind::Frontend)
        .because(evidence);
    Some(gems.finish(found, surroundings))
}

#[cfg(test)]
mod tests {
    use crate::fixture::{checkout, only};
    use portway_project::kind::Kind;

    #[test]
    fn hugo_is_known_by_its_configuration() {
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
        only(&[("hugo.toml", "")], &[]).says("it needs `hugo`");
    }

    #[test]
    fn jekyll_is_known_by_its_gem_or_its_directories() {
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
    fn a_theme_or_another_configuration_is_no_site() {
        for files in [
            &[("hugo.toml", ""), ("theme.toml", "")][..],
            &[("config.toml", "x = 1"), ("content/a", "")],
            &[("_config.yml", "")],
        ] {
            assert!(checkout(files, &[]).services.is_empty());
        }
    }
}
