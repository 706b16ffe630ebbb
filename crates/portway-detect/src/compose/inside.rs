//! Paths of containers: what the checkout has there, because it is mounted or copied.

use super::dockerfile::copies;
use super::resolve::place;
use super::{File, Service, value};
use crate::DetectedService;

impl File<'_> {
    /// Replaces paths of the container of `compose` in its command by those of the checkout, relative to the
    /// directory of `main`. Also returns the directory from which Python imports the modules of such a file. Fails
    /// with a path that the checkout does not have.
    pub(super) fn in_checkout(
        &self,
        main: &DetectedService,
        compose: &Service,
        command: &str,
    ) -> Result<(String, Option<String>), String> {
        let mut text = command.to_owned();
        let mut imports = None;
        for word in command.split_whitespace() {
            if word.starts_with("../") {
                return Err(word.to_owned());
            }
            if !word.starts_with('/') {
                continue;
            }
            let relative = |path: &str| value::relative(&main.dir, path);
            let outside = self.outside(compose, word);
            let (path, place) = outside.ok_or_else(|| word.to_owned())?;
            text = text.replacen(word, &relative(&path), 1);
            if word.ends_with(".py") && place != main.dir {
                imports = Some(relative(&place));
            }
        }
        Ok((text, imports))
    }

    /// Returns the path, relative to the root, of the file that is at a path of a container, and of the directory
    /// that is mounted or copied there.
    fn outside(&self, service: &Service, path: &str) -> Option<(String, String)> {
        let text = self.dockerfile(service).unwrap_or_default();
        let own = self.dir.path();
        let context = value::join(own, service.build.as_deref().unwrap_or("."))?;
        let mounted = service.mounts.iter();
        let mounted = mounted.filter_map(|(from, to)| Some((value::join(own, from)?, to.as_str())));
        let copied = copies(&text).into_iter();
        let copied = copied.filter_map(|(from, to)| Some((value::join(&context, from)?, to)));
        mounted.chain(copied).find_map(|(from, to)| {
            let below = path.strip_prefix(to.trim_end_matches('/'))?;
            let below = below.strip_prefix('/').filter(|_| to.starts_with('/'))?;
            let found = value::join(&from, below)?;
            let (dir, name) = place(&self.dir, &value::relative(own, &found))?;
            dir.has(&name).then_some((found, from))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;
    use crate::{DetectedPort, DetectedService};

    const COMPOSE: &str = "services:
  events:
    build: .
    image: shop
    depends_on: [cache]
    volumes: ['./src:/code']
    entrypoint: [python, /code/shop/events.py]
  mails:
    image: shop
    entrypoint: /setup.sh
    command: python /work/shop/mails.py
  other:
    image: shop
    command: /usr/bin/other
  api:
    image: shop
    environment: {FLASK_APP: shop/web.py}
    entrypoint: [flask, run, --host=0.0.0.0, --port=80]
    ports: ['5105:80']
  cache: {image: 'redis:7', ports: ['6379:6379']}
";

    #[test]
    fn services_on_one_image_run_directly() {
        let found = checkout(
            &[
                ("compose.yaml", COMPOSE),
                ("Dockerfile", "FROM python:3.12\nCOPY src/ /work/\n"),
                ("requirements.txt", "flask\n"),
                (
                    "src/shop/web.py",
                    "from flask import Flask\napp = Flask(__name__)\n",
                ),
                ("src/shop/events.py", "import shop.web\n"),
                ("src/shop/mails.py", "import shop.web\n"),
            ],
            &["docker"],
        );
        let one = |name: &str| -> &DetectedService {
            let mut all = found.services.iter();
            let found = all.find(|one| one.name == name);
            found.unwrap_or_else(|| panic!("{name}"))
        };
        let names: Vec<&str> = found.services.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["backend", "events", "mails", "cache"]);
        let web = one("backend");
        // Its number in the container says nothing about the port on this machine.
        assert_eq!(web.port, Some(DetectedPort::Preferred(5105)));
        web.has_evidence("it is the service `api`");
        for (name, file) in [
            ("events", "src/shop/events.py"),
            ("mails", "src/shop/mails.py"),
        ] {
            let worker = one(name);
            assert!(
                worker.command.contains(&format!("python {file}")),
                "{}",
                worker.command
            );
            let path = worker.env.get("PYTHONPATH").map(String::as_str);
            assert_eq!((path, worker.port), (Some("src"), None));
        }
        let why = &found
            .passed_over
            .iter()
            .find(|one| one.file.ends_with("other"));
        assert!(
            why.is_some_and(|one| one.why.contains("/usr/bin/other")),
            "{found:#?}"
        );
    }
}
