//! Ruby: Rails, Hanami, Sinatra, and every other project with a `config.ru`.
//!
//! Gems are the names after `gem` in the Gemfile, which is read line by line and never run.

use super::listens::Listens;
use super::{DetectContext, DetectedPort, DetectedService, Dir};

/// Servers that a Gemfile may name, with the command that runs a `config.ru`.
const SERVERS: [(&str, &str); 4] = [
    ("puma", "puma -b tcp://{host}:{port}"),
    ("falcon", "falcon serve --bind http://{host}:{port}"),
    ("thin", "thin start -a {host} -p {port}"),
    ("unicorn", "unicorn -l {host}:{port}"),
];

/// Frameworks whose applications start from a `config.ru`.
const RACK: [&str; 5] = ["sinatra", "roda", "grape", "cuba", "padrino"];

/// Disables Rails' pid file. It would prevent a start if another process has its pid by now, or if
/// `bin/rails server` runs in addition to Portway.
const PID_FILE: &str = "tmp/pids/portway.pid";

/// Detects the Ruby services in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let gems = Gems::read(dir);
    let found = rails(dir, &gems, context)
        .or_else(|| hanami(dir, &gems, context))
        .or_else(|| rack(dir, &gems, context))
        .or_else(|| sinatra(dir, &gems, context));
    let worker = found.as_ref().and_then(|_| sidekiq(dir, &gems));
    found
        .into_iter()
        .chain(worker)
        .map(|found| gems.finish(found, context))
        .collect()
}

/// Builds the worker of an application whose jobs Sidekiq runs.
fn sidekiq(dir: &Dir<'_>, gems: &Gems) -> Option<DetectedService> {
    let (_, evidence) = gems.first_of(&["sidekiq"])?;
    let jobs = ["app/sidekiq", "app/workers", "app/jobs"];
    let place = jobs.into_iter().find(|place| dir.below(place).is_some())?;
    let command = gems.program("sidekiq");
    let port = DetectedPort::Preferred(1);
    let mut found = DetectedService::http(dir, "worker", command, port).without_port();
    found.name = "sidekiq".to_owned();
    found.needs_broker = true;
    let place = dir.path_of(place);
    Some(
        found
            .with_evidence(evidence)
            .with_evidence(format!("{place} has its jobs")),
    )
}

/// The gems that a directory's Gemfile names.
pub(super) struct Gems {
    /// Path of the Gemfile relative to the root, if there is one.
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

    /// Returns the first of `names` that is a gem here, with the evidence.
    pub(super) fn first_of<'n>(&self, names: &[&'n str]) -> Option<(&'n str, String)> {
        let file = self.file.as_ref()?;
        let has = |name: &&str| self.names.iter().any(|gem| gem == name);
        let name = names.iter().copied().find(has)?;
        Some((name, format!("`{name}` is a gem in {file}")))
    }

    /// Returns the command of a gem's program.
    pub(super) fn program(&self, command: &str) -> String {
        match self.file {
            Some(_) => format!("bundle exec {command}"),
            None => command.to_owned(),
        }
    }

    /// Adds the prepare step that installs its gems.
    pub(super) fn finish(
        &self,
        found: DetectedService,
        context: &DetectContext<'_>,
    ) -> DetectedService {
        let found = found.requiring("ruby", context);
        match &self.file {
            Some(_) => found
                .with_prepare("bundle check >/dev/null 2>&1 || bundle install")
                .requiring("bundle", context),
            None => found.with_evidence("no Gemfile names its gems, so it uses the installed ones"),
        }
    }
}

/// Returns the name after `gem` in a line of a Gemfile.
fn gem(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("gem")?;
    let rest = rest.trim_start_matches([' ', '(']);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split_once(quote).map(|(name, _)| name)
}

fn rails(dir: &Dir<'_>, gems: &Gems, context: &DetectContext<'_>) -> Option<DetectedService> {
    // A Rails engine has no application.
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
    let port = context.port("rails", 3000);
    let found = DetectedService::http(dir, "rails", command, port).with_evidence(format!(
        "{} has a `Rails::Application`",
        dir.path_of("config/application.rb")
    ));
    Some(
        found.with_evidence(
            "Portway does not touch its database: run `bin/rails db:prepare` yourself",
        ),
    )
}

fn hanami(dir: &Dir<'_>, gems: &Gems, context: &DetectContext<'_>) -> Option<DetectedService> {
    let (_, evidence) = gems.first_of(&["hanami"])?;
    dir.sub("config").filter(|config| config.has("app.rb"))?;
    let command = gems.program("hanami server --host {host} --port {port}");
    let port = context.port("hanami", 2300);
    Some(DetectedService::http(dir, "hanami", command, port).with_evidence(evidence))
}

fn rack(dir: &Dir<'_>, gems: &Gems, context: &DetectContext<'_>) -> Option<DetectedService> {
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
    let port = context.port(name, 9292);
    let mut found = DetectedService::http(dir, name, gems.program(command), port);
    found
        .evidence
        .extend(framework.map(|(_, evidence)| evidence));
    found = found.with_evidence(format!("{} runs it", dir.path_of("config.ru")));
    found.evidence.extend(server.map(|(_, evidence)| evidence));
    Some(found)
}

/// Builds the service of a script in Sinatra's classic style, which serves when it is run.
fn sinatra(dir: &Dir<'_>, gems: &Gems, context: &DetectContext<'_>) -> Option<DetectedService> {
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
    let script = portway_project::shell::quote(name);
    let command = gems.program(&format!("ruby {script} -o {{host}} -p {{port}}"));
    let port = context.port("sinatra", 4567);
    let found = DetectedService::http(dir, "sinatra", command, port)
        .with_evidence(format!("{file} requires `sinatra`"));
    // Settings in the script override its arguments.
    Some(match Listens::of(&[(file, text)]) {
        Listens::Unknown => found,
        listens => listens.give(found, 4567, context),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{checkout, only};

    const APPLICATION: &str = "module Shop\n  class Application < Rails::Application\n  end\nend\n";

    #[test]
    fn reads_gems_line_by_line() {
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
    fn detects_rails_by_its_application() {
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
        found.has_evidence("config/application.rb has a `Rails::Application`");
        only(&files, &["ruby"]).has_evidence("it requires `bundle`, which is not installed");
    }

    #[test]
    fn runs_sidekiq_beside_the_application_if_there_is_a_broker() {
        let files = [
            ("Gemfile", "gem 'rails'\ngem 'sidekiq'"),
            ("config/application.rb", APPLICATION),
            ("app/jobs/mail_job.rb", ""),
            ("compose.yml", "services: {redis: {image: redis}}"),
        ];
        let programs = &["ruby", "bundle", "docker"];
        let worker = |files: &[(&str, &str)]| {
            let all = checkout(files, programs).services;
            all.into_iter().find(|one| one.name == "sidekiq")
        };
        let found = worker(&files).unwrap();
        assert_eq!(
            (found.command.as_str(), found.optional),
            ("bundle exec sidekiq", false)
        );
        found.has_evidence("app/jobs has its jobs");
        assert!(worker(&files[..3]).unwrap().optional);
        assert!(worker(&files[..2]).is_none());
    }

    #[test]
    fn runs_rack_applications_with_the_named_server() {
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
        found.has_evidence("no Gemfile");
        let found = only(&[("Gemfile", "gem 'hanami'"), ("config/app.rb", "")], &[]);
        assert_eq!(
            found.command,
            "bundle exec hanami server --host {host} --port {port}"
        );
    }

    #[test]
    fn detects_a_fixed_port_of_a_sinatra_script() {
        let found = only(&[("app.rb", "require 'sinatra'\nget('/') { 'x' }")], &[]);
        assert_eq!(found.command, "ruby app.rb -o {host} -p {port}");
        assert_eq!(found.prefers(), Some(4567));
        let found = only(&[("app.rb", "require 'sinatra'\nset :port, 4000")], &[]);
        assert_eq!(found.port, Some(DetectedPort::Fixed(4000)));
        found.has_evidence("app.rb:2 requires port 4000");
    }

    #[test]
    fn ignores_gems_and_engines() {
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
