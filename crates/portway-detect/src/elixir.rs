//! Elixir: Phoenix.

use super::listens::{Listens, Source};
use super::literal::number;
use super::{Dir, Found, Surroundings};

/// The Phoenix application in `dir`.
pub(super) fn read(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let text = dir.read("mix.exs").unwrap_or_default();
    let depends = |line: &str| !line.trim_start().starts_with('#') && line.contains("{:phoenix,");
    // A library that only brings parts for Phoenix has no application.
    let is_library = text.contains("package:") || !text.contains("mod: {");
    if !text.lines().any(depends) || is_library {
        return Vec::new();
    }
    let port = surroundings.port("phoenix", 4000);
    let found = Found::http(dir, "phoenix", "mix phx.server", port)
        .prepared("mix deps.get")
        .because(format!(
            "`phoenix` is a dependency in {}",
            dir.path_of("mix.exs")
        ))
        .because("its database is left alone: `mix ecto.setup` is up to you");
    let found = match configured(dir) {
        Listens::Unknown => found.because(
            "nothing in its configuration says where its port comes from; it is told by `PORT`",
        ),
        listens => listens.give(found, 4000, surroundings),
    };
    vec![found.needing("mix", surroundings)]
}

/// Where its configuration takes the port from in development; an umbrella's lies two levels above.
fn configured(dir: &Dir<'_>) -> Listens {
    let mut configs = dir.upwards().take(3).filter_map(|dir| dir.sub("config"));
    let Some(config) = configs.find(|config| config.has("dev.exs")) else {
        return Listens::Unknown;
    };
    let read = |name: &str| -> Option<Source> { Some((config.path_of(name), config.read(name)?)) };
    // What stands before the part for production holds for development too, and wins.
    let runtime = read("runtime.exs").map(|(file, text)| {
        let text = text.split(":prod").next().unwrap_or("").to_owned();
        (file, text)
    });
    let dev = read("dev.exs");
    let asked: Vec<Source> = runtime.into_iter().chain(dev.clone()).collect();
    match Listens::of(&asked) {
        // Watchers and databases have numbers too: only the endpoint's `http:` counts.
        Listens::Insists { .. } => dev.map_or(Listens::Unknown, |(file, text)| http(&file, &text)),
        listens => listens,
    }
}

/// The number in the endpoint's `http:`, which may stand on the lines below.
fn http(file: &str, text: &str) -> Listens {
    let Some(start) = text
        .lines()
        .position(|line| line.trim_start().starts_with("http:"))
    else {
        return Listens::Unknown;
    };
    let lines: Vec<&str> = text.lines().skip(start).take(4).collect();
    match number(&lines.join("\n")) {
        Some((port, line)) => Listens::Insists {
            port,
            place: format!("{file}:{}", start + line),
        },
        None => Listens::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use crate::FoundPort;
    use crate::fixture::{checkout, only};

    const MIX: (&str, &str) = (
        "mix.exs",
        "def application do\n [mod: {Shop.Application, []}]\nend\ndefp deps do\n [{:phoenix, \"~> 1.8\"}]\nend",
    );

    #[test]
    fn phoenix_takes_its_port_from_its_configuration() {
        let literal = "config :shop, Shop.Repo,\n  port: 5555\n\nconfig :shop, ShopWeb.Endpoint,\n  http: [ip: {127, 0, 0, 1}, port: 4000],\n";
        let found = only(&[MIX, ("config/dev.exs", literal)], &["mix"]);
        assert_eq!(found.command, "mix phx.server");
        assert_eq!(found.prepare.as_deref(), Some("mix deps.get"));
        assert_eq!(found.port, Some(FoundPort::Only(4000)));
        found.says("config/dev.exs:5 insists on port 4000");
        let runtime = "config :shop, ShopWeb.Endpoint,\n  http: [port: String.to_integer(System.get_env(\"PORT\", \"4000\"))]\nif config_env() == :prod do\nend";
        for dev in [
            literal,
            "config :shop, ShopWeb.Endpoint, http: [ip: {127, 0, 0, 1}]",
        ] {
            let found = only(
                &[
                    MIX,
                    ("config/dev.exs", dev),
                    ("config/runtime.exs", runtime),
                ],
                &[],
            );
            assert_eq!(found.framework, "phoenix");
            assert!(found.prefers().is_some(), "{found:#?}");
            found
                .says("config/runtime.exs:2 takes its port from `PORT`")
                .says("it needs `mix`, which is not on this machine");
        }
        assert_eq!(only(&[MIX], &["mix"]).prefers(), Some(4000));
    }

    #[test]
    fn a_library_is_no_service() {
        let library = (
            "mix.exs",
            "package: package(),\n{:phoenix, \"~> 1.8\"}\nmod: {X, []}",
        );
        assert!(checkout(&[library], &[]).services.is_empty());
        let plain = ("mix.exs", "mod: {X, []}\n# {:phoenix, \"~> 1.8\"}");
        assert!(checkout(&[plain], &[]).services.is_empty());
    }
}
