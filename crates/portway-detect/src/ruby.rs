//! Ruby: Rails, Hanami, Sinatra, and whatever else has a `config.ru`.
//!
//! The gems are the names behind `gem` in the Gemfile, read line by line; it is never run.

use super::listens::Listens;
use super::{Dir, Found, Surroundings};

/// Servers that a Gemfile may name, with the command that runs a `config.ru` with it.
const SERVERS: [(&str, &str); 4] = [
    ("puma", "puma -b tcp://{host}:{port}"),
    ("falcon", "falcon serve --bind http://{host}:{port}"),
    ("thin", "thin start -a {host} -p {port}"),
    ("unicorn", "unicorn -l {host}:{port}"),
];

/// Frameworks whose applications are started by a `config.ru`.
const RACK: [&str; 5] = ["sinatra", "roda", "grape", "cuba", "padrino"];

/// Rails' own file would end the start when another process has its number by now, or when somebody
/// runs `bin/rails server` beside Portway.
const PID_FILE: &str = "tmp/pids/portway.pid";

/// The Ruby services in `dir`.
pub(super) fn read(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let gems = Gems::read(dir);
    let found = rails(dir, &gems, surroundings)
        .or_else(|| hanami(dir, &gems, surroundings))
        .or_else(|| rack(dir, &gems, surroundings))
        .or_else(|| sinatra(dir, &gems, surroundings));
    found
        .map(|found| gems.finish(found, surroundings))
        .into_iter()
        .collect()
}

/// The gems that a directory's Gemfile names.
pub(super) struct Gems {
    /// The Gemfile relative to the root, where there is one.
    file: Option<String>,
    names: Vec<String>,
}

impl Gems {
    pub(super) fn read(dir: &Dir<'_>) -> Self {
        let file = dir.first_of(&["Gemfile", "gems.rb"]);
        let text = file.and_then(|file| dir.read(file)).unwrap_or_default();
        Self {
            file: file.map(|file| dir.path_of(file)),
            names: text.lines().filter_map(gem).map(str::to_owned).collect(),
        }
    }

    /// The first of `names` that is a gem here, with the sentence that says so.
    pub(super) fn first_of<'n>(&self, names: &[&'n str]) -> Option<(&'n str, String)> {
        let file = self.file.as_ref()?;
        let has = |name: &&str| self.names.iter().any(|gem| gem == name);
        let name = names.iter().copied().find(has)?;
        Some((name, format!("`{name}` is a gem in {file}")))
    }

    /// A program of a gem, as it is run.
    pub(super) fn program(&self, command: &str) -> String {
        match self.file {
            Some(_) => format!("bundle exec {command}"),
            None => command.to_owned(),
        }
    }

    /// The service with the step that brings its gems.
    pub(super) fn finish(&self, found: Found, surroundings: &Surroundings<'_>) -> Found {
        let found = found.needing("ruby", surroundings);
        match &self.file {
            Some(_) => found
                .prepared("bundle check >/dev/null 2>&1 || bundle install")
                .needing("bundle", surroundings),
            None => found.because("no Gemfile names its gems, so those of the machine are taken"),
        }
    }
}

/// The name behind `gem` in a line of a Gemfile.
fn gem(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("gem")?;
    let rest = rest.trim_start_matches([' ', '(']);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split_once(quote).map(|(name, _)| name)
}

fn rails(dir: &Dir<'_>, gems: &Gems, surroundings: &Surroundings<'_>) -> Option<Found> {
    // An engine has no application of its own.
    let application = dir.sub("config")?.read("application.rb")?;
    if !application.contains("Rails::Application") {
        return None;
    }
    let program = match dir.sub("bin").is_some_and(|bin| bin.has("rails")) {
        true => "bin/rails".to_owned(),
        false => gems.program("rails"),
    };
    let command =
        format!("rm -f {PID_FILE} && {program} server -b {{host}} -p {{port}} -P {PID_FILE}");
    let port = surroundings.port("rails", 3000);
    let found = Found::http(dir, "rails", command, port).because(format!(
        "{} has a `Rails::Application`",
        dir.path_of("config/application.rb")
    ));
    Some(found.because("its database is left alone: `bin/rails db:prepare` is up to you"))
}

fn hanami(dir: &Dir<'_>, gems: &Gems, surroundings: &Surroundings<'_>) -> Option<Found> {
    let (_, evidence) = gems.first_of(&["hanami"])?;
    dir.sub("config").filter(|config| config.has("app.rb"))?;
    let command = gems.program("hanami server --host {host} --port {port}");
    let port = surroundings.port("hanami", 2300);
    Some(Found::http(dir, "hanami", command, port).because(evidence))
}

fn rack(dir: &Dir<'_>, gems: &Gems, surroundings: &Surroundings<'_>) -> Option<Found> {
    let text = dir.read("config.ru")?;
    let runs = |line: &str| line.trim_start().starts_with("run");
    if !text.lines().any(runs) {
        return None;
    }
    let framework = gems.first_of(&RACK);
    let name = framework.as_ref().map_or("rack", |(name, _)| *name);
    let names: Vec<&str> = SERVERS.iter().map(|(name, _)| *name).collect();
    let server = gems.first_of(&names);
    let command = SERVERS
        .iter()
        .find(|(name, _)| server.as_ref().is_some_and(|(server, _)| server == name))
        .map_or("rackup -o {host} -p {port}", |(_, command)| command);
    let port = surroundings.port(name, 9292);
    let mut found = Found::http(dir, name, gems.program(command), port);
    found
        .evidence
        .extend(framework.map(|(_, evidence)| evidence));
    found = found.because(format!("{} runs it", dir.path_of("config.ru")));
    found.evidence.extend(server.map(|(_, evidence)| evidence));
    Some(found)
}

/// A script in Sinatra's classic style, which serves when it is run.
fn sinatra(dir: &Dir<'_>, gems: &Gems, surroundings: &Surroundings<'_>) -> Option<Found> {
    let scripts = dir.files().filter(|name| name.ends_with(".rb"));
    let (name, text) = scripts.take(40).find_map(|name| {
        let text = dir.read(name)?;
        let requires = |line: &str| {
            let line = line.trim_end();
            line == "require 'sinatra'" || line == "require \"sinatra\""
        };
        text.lines().any(requires).then_some((name, text))
    })?;
    let file = dir.path_of(name);
    let script = super::shell::quote(name);
    let command = gems.program(&format!("ruby {script} -o {{host}} -p {{port}}"));
    let port = surroundings.port("sinatra", 4567);
    let found =
        Found::http(dir, "sinatra", command, port).because(format!("{file} requires `sinatra`"));
    // What the script sets itself wins over its arguments.
    Some(match Listens::of(&[(file, text)]) {
        Listens::Unknown => found,
        listens => listens.give(found, 4567, surroundings),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FoundPort;
    use crate::fixture::{checkout, only};

    const APPLICATION: &str = "module Shop\n  class Application < Rails::Application\n  end\nend\n";

    #[test]
    fn gems_are_read_line_by_line() {
        assert_eq!(gem("  gem \"rails\", '~> 8'"), Some("rails"));
        assert_eq!(gem("gem('puma')"), Some("puma"));
        for line in [
            "# gem 'rails'",
            "gemspec",
            "gem",
            "gem rails",
            "gem '\u{e9}",
        ] {
            assert_eq!(gem(line), None, "{line}");
        }
    }

    #[test]
    fn rails_is_known_by_its_application() {
        let files = [
            ("Gemfile", "gem 'rails'\ngem 'puma'"),
            ("bin/rails", ""),
            ("config.ru", "run Rails.application"),
            ("config/application.rb", APPLICATION),
        ];
        let found = only(&files, &["ruby", "bundle"]);
        assert_eq!(
            found.command,
            "rm -f tmp/pids/portway.pid && bin/rails server -b {host} -p {port} -P tmp/pids/portway.pid"
        );
        assert_eq!(
            found.prepare.as_deref(),
            Some("bundle check >/dev/null 2>&1 || bundle install")
        );
        assert_eq!((found.framework, found.prefers()), ("rails", Some(3000)));
        found.says("config/application.rb has a `Rails::Application`");
        only(&files, &["ruby"]).says("it needs `bundle`, which is not on this machine");
    }

    #[test]
    fn rack_applications_run_with_the_server_that_is_named() {
        for (gemfile, framework, command) in [
            (
                "gem 'sinatra'\ngem 'puma'",
                "sinatra",
                "puma -b tcp://{host}:{port}",
            ),
            (
                "gem 'roda'\ngem 'falcon'",
                "roda",
                "falcon serve --bind http://{host}:{port}",
            ),
            ("gem 'rack'", "rack", "rackup -o {host} -p {port}"),
        ] {
            let files = [("api/Gemfile", gemfile), ("api/config.ru", "run App")];
            let found = only(&files, &["ruby", "bundle"]);
            assert_eq!(found.command, format!("bundle exec {command}"));
            assert_eq!((found.framework, found.prefers()), (framework, Some(9292)));
        }
        let found = only(&[("config.ru", "run ->(env) { }")], &[]);
        assert_eq!(found.command, "rackup -o {host} -p {port}");
        assert_eq!(found.prepare, None);
        found.says("no Gemfile");
        let found = only(&[("Gemfile", "gem 'hanami'"), ("config/app.rb", "")], &[]);
        assert_eq!(
            found.command,
            "bundle exec hanami server --host {host} --port {port}"
        );
    }

    #[test]
    fn a_sinatra_script_may_insist_on_its_port() {
        let found = only(&[("app.rb", "require 'sinatra'\nget('/') { 'x' }")], &[]);
        assert_eq!(found.command, "ruby app.rb -o {host} -p {port}");
        assert_eq!(found.prefers(), Some(4567));
        let found = only(&[("app.rb", "require 'sinatra'\nset :port, 4000")], &[]);
        assert_eq!(found.port, Some(FoundPort::Only(4000)));
        found.says("app.rb:2 insists on port 4000");
    }

    #[test]
    fn a_gem_or_an_engine_is_no_service() {
        for files in [
            &[
                ("Gemfile", "gemspec\ngem 'rails'"),
                ("bin/rails", "ENGINE_ROOT"),
            ][..],
            &[
                ("Gemfile", "gem 'sinatra'"),
                ("lib/x.rb", "require 'sinatra/base'"),
            ],
            &[("config.ru", "\n# run it")],
            &[("config/application.rb/x", "")],
        ] {
            let detection = checkout(files, &[]);
            assert!(detection.services.is_empty(), "{detection:#?}");
        }
    }
}
