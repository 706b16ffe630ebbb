//! `.ports.json`: its ports are valid, and its URLs are on this machine.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use portway_project::ports_file::url_key;
use portway_project::{PortsFile, PortsFileProblem};
use url::{Host, Url};

fuzz_target!(|bytes: &[u8]| {
    let root = Path::new("/project");
    let file = match PortsFile::parse(root, bytes) {
        Ok(file) => file,
        Err(error) => {
            assert!(!error.problem.to_string().is_empty());
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
                let reported = match error.problem {
                    PortsFileProblem::InvalidPort { key, .. } => key,
                    PortsFileProblem::RemoteUrl { key, .. } => key,
                    other => panic!("{other}"),
                };
                assert!(reported == *key || reported == url_key(key));
            }
        }
        if file.check_local_url(root, key).is_ok() {
            // A browser must agree, or reject the URL.
            let url = value.as_str().expect("a URL is a string");
            let is_remote = Url::parse(url).is_ok_and(|url| !is_local(&url));
            assert!(!is_remote, "{url:?} counts as local");
        }
    }
    let again = file.merged(&file.content, &file.content);
    assert_eq!(again, file);
    let text = serde_json::to_vec(&file.content).expect("it can be serialized");
    assert_eq!(
        PortsFile::parse(root, &text).expect("written text can be read"),
        file
    );
});

fn is_local(url: &Url) -> bool {
    match url.host() {
        // The parser does not interpret hosts of schemes other than the web's.
        Some(Host::Domain(name)) => {
            let name = name.to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost") || name == "127.0.0.1"
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
