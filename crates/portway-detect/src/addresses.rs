//! Addresses of other services in the command of a service, `API_URL=http://localhost:8000 vite`: their ports
//! become placeholders.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::{DetectedPort, DetectedService};

static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{2,5})\b").ok());

/// Returns whether a text contains an address of this machine.
pub(super) fn has_address(text: &str) -> bool {
    ADDRESS
        .as_ref()
        .is_some_and(|address| address.is_match(text))
}

/// Replaces the usual ports of other services in the commands that name them.
pub(super) fn replace(services: &mut [DetectedService]) {
    let Some(address) = &*ADDRESS else {
        return;
    };
    let ports: Vec<(String, Option<u16>)> = services
        .iter()
        .map(|one| (one.name.clone(), usual_port(one)))
        .collect();
    for service in services.iter_mut().filter(|one| one.names_addresses) {
        let DetectedService {
            name,
            command,
            env,
            evidence,
            ..
        } = service;
        let texts = env.values_mut().map(|value| ("a variable of it", value));
        for (what, text) in std::iter::once(("its command", command)).chain(texts) {
            let mut mapped = String::new();
            let mut done = 0;
            for found in address.captures_iter(text) {
                let Some(number) = found.get(1) else {
                    continue;
                };
                let port = number.as_str().parse().ok();
                let mut others = ports
                    .iter()
                    .filter(|(other, usual)| other != name && port.is_some() && *usual == port);
                let (Some((other, _)), None) = (others.next(), others.next()) else {
                    continue;
                };
                mapped.push_str(&text[done..number.start()]);
                mapped.push_str(&format!("{{{other}.port}}"));
                done = number.end();
                evidence.push(format!(
                    "{what} names port {}, the usual port of `{other}`",
                    number.as_str()
                ));
            }
            mapped.push_str(&text[done..]);
            *text = mapped;
        }
    }
}

fn usual_port(service: &DetectedService) -> Option<u16> {
    match service.port? {
        DetectedPort::Preferred(port) | DetectedPort::Fixed(port) => Some(port),
        DetectedPort::Chosen { usual, .. } => Some(usual),
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    #[test]
    fn ports_of_other_services_in_a_script_become_placeholders() {
        let api = (
            "api/main.py",
            "from fastapi import FastAPI\napp = FastAPI()\n",
        );
        for (script, command) in [
            (
                "cross-env API_URL=http://localhost:8000/v1 OTHER=http://localhost:9 vite",
                "API_URL=http://localhost:{api.port}/v1 OTHER=http://localhost:9 npm exec -- vite --port {port} --strictPort",
            ),
            (
                "http-server . --proxy http://localhost:8000",
                "npm exec -- http-server . --proxy http://localhost:{api.port} --port {port}",
            ),
            ("vite", "npm run dev -- --port {port} --strictPort"),
        ] {
            let package = format!(
                "{{\"scripts\": {{\"dev\": \"{script}\"}}, \"devDependencies\": {{\"vite\": \"7\"}}}}"
            );
            let files = [
                ("api/requirements.txt", "fastapi\n"),
                api,
                ("web/package.json", &package),
            ];
            let detection = checkout(&files, &["npm", "python3"]);
            let web = detection
                .services
                .iter()
                .find(|one| one.name == "web")
                .unwrap();
            assert_eq!(web.command, command);
        }
    }
}
