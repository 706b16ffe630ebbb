//! Elixir: Phoenix applications.

use super::listens::{Listens, Source};
use super::literal::number;
use super::{DetectContext, DetectedService, Dir};

/// Detects the Phoenix application in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let text = dir.read("mix.exs").unwrap_or_default();
    let depends = |line: &str| !line.trim_start().starts_with('#') && line.contains("{:phoenix,");
    // A library with Phoenix components has no application.
    let is_library = text.contains("package:") || !text.contains("mod: {");
    if !text.lines().any(depends) || is_library {
        return Vec::new();
    }
    let port = context.port("phoenix", 4000);
    let found = DetectedService::http(dir, "phoenix", "mix phx.server", port)
        .with_prepare("mix deps.get")
        .with_evidence(format!(
            "`phoenix` is a dependency in {}",
            dir.path_of("mix.exs")
        ))
        .with_evidence("Portway does not touch its database: run `mix ecto.setup` yourself");
    let found = match configured(dir) {
        Listens::Unknown => found.with_evidence(
            "its configuration does not say where its port comes from; Portway sets `PORT`",
        ),
        listens => listens.give(found, 4000, context),
    };
    vec![found.requiring("mix", context)]
}

/// Finds where the development configuration reads the port; in an umbrella it is two levels above.
fn configured(dir: &Dir<'_>) -> Listens {
    let mut configs = dir.upwards().take(3).filter_map(|dir| dir.sub("config"));
    let Some(config) = configs.find(|config| config.has("dev.exs")) else {
        return Listens::Unknown;
    };
    let read = |name: &str| -> Option<Source> { Some((config.path_of(name), config.read(name)?)) };
    // What precedes the production section also applies in development, and takes precedence.
    let runtime = read("runtime.exs").map(|(file, text)| {
        let text = text.split(":prod").next().unwrap_or("").to_owned();
        (file, text)
    });
    let dev = read("dev.exs");
    let asked: Vec<Source> = runtime.into_iter().chain(dev.clone()).collect();
    match Listens::of(&asked) {
        // Watchers and databases have ports too; only the endpoint's `http:` counts.
        Listens::Fixed { .. } => dev.map_or(Listens::Unknown, |(file, text)| http(&file, &text)),
        listens => listens,
    }
}

/// Returns the number in the endpoint's `http:`, which may be on a following line.
fn http(file: &str, text: &str) -> Listens {
    let Some(start) = text
        .lines()
        .position(|line| line.trim_start().starts_with("http:"))
    else {
        return Listens::Unknown;
    };
    let lines: Vec<&str> = text.lines().skip(start).take(4).collect();
    match number(&lines.join("\n")) {
        Some((port, line)) => Listens::Fixed {
            port,
            place: format!("{file}:{}", start + line),
        },
        None => Listens::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use crate::DetectedPort;
    use crate::fixture::{checkout, only};

    const MIX: (&str, &str) = (
        "mix.exs",
        "def application do\n [mod: {Shop.Application, []}]\nend\ndefp deps do\n [{:phoenix, \"~> 1.8\"}]\nend",
    );

    #[test]
    fn reads_the_port_from_the_phoenix_configuration() {
        let literal = "config :shop, Shop.Repo,\n  port: 5555\n\nconfig :shop, ShopWeb.Endpoint,\n  http: [ip: {127, 0, 0, 1}, port: 4000],\n";
        let found = only(&[MIX, ("config/dev.exs", literal)], &["mix"]);
        assert_eq!(found.command, "mix phx.server");
        assert_eq!(found.prepare.as_deref(), Some("mix deps.get"));
        assert_eq!(found.port, Some(DetectedPort::Fixed(4000)));
        found.has_evidence("config/dev.exs:5 requires port 4000");
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
                .has_evidence("config/runtime.exs:2 reads its port from `PORT`")
                .has_evidence("it requires `mix`, which is not installed");
        }
        assert_eq!(only(&[MIX], &["mix"]).prefers(), Some(4000));
    }

    #[test]
    fn ignores_libraries() {
        let library = (
            "mix.exs",
            "package: package(),\n{:phoenix, \"~> 1.8\"}\nmod: {X, []}",
        );
        assert!(checkout(&[library], &[]).services.is_empty());
        let plain = ("mix.exs", "mod: {X, []}\n# {:phoenix, \"~> 1.8\"}");
        assert!(checkout(&[plain], &[]).services.is_empty());
    }
}
