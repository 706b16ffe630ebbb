//! `.ports.json`: what is taken from it are ports, and URLs that stay on this machine.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use portway_project::{PortsFile, PortsFileProblem};
use portway_project::ports_file::url_key;
use url::{Host, Url};

fuzz_target!(|bytes: &[u8]| {
    let root = Path::new("/project");
    let file = match PortsFile::parse(root, bytes) {
        Ok(file) => file,
        Err(error) => {
            assert!(!error.problem.is_empty() && !error.hint.is_empty());
            return;
        }
    };
    for (key, value) in &file.content {
        match file.ports(root, [key.as_str()]) {
            Ok(ports) => {
                assert_eq!(ports.len(), 1);
                assert!(ports[key] > 0 && Some(u64::from(ports[key])) == value.as_u64());
            }
            Err(error) => {
                let wrong = match error.problem {
                    PortsFileProblem::InvalidPort { key, .. } => key,
                    PortsFileProblem::RemoteUrl { key, .. } => key,
                    other => panic!("{other}"),
                };
                assert!(wrong == *key || wrong == url_key(key));
            }
        }
        if file.check_local_url(root, key).is_ok() {
            // A browser reads it so, or cannot read it.
            let url = value.as_str().expect("a URL is a text");
            let elsewhere = Url::parse(url).is_ok_and(|url| !is_local(&url));
            assert!(!elsewhere, "{url:?} counts as local");
        }
    }
    let again = file.merged(&file.content, &file.content);
    assert_eq!(again, file);
    let text = serde_json::to_vec(&file.content).expect("it is JSON");
    assert_eq!(
        PortsFile::parse(root, &text).expect("it is read again"),
        file
    );
});

fn is_local(url: &Url) -> bool {
    match url.host() {
        // A scheme that the web does not know has hosts without a meaning.
        Some(Host::Domain(name)) => {
            let name = name.to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost") || name == "127.0.0.1"
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
