//! What `docker compose up` publishes: the input of an override for a checkout.

use std::path::Path;

use serde_json::Value;

use super::{Dir, File, Published};
use crate::records::Records;
use crate::yaml::scalar;

/// Compose files that belong together, and what their services publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedFiles {
    /// The path of the base file, relative to the root.
    pub file: String,
    /// The directory of the files, relative to the root; empty for the root.
    pub dir: String,
    /// The paths of all files, relative to that directory.
    pub names: Vec<String>,
    /// The services that publish ports or have a fixed container name.
    pub services: Vec<PublishedService>,
}

/// What one service publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedService {
    /// Its name.
    pub name: String,
    /// Its published TCP ports.
    pub ports: Vec<Published>,
    /// The other ports of its container that it publishes, such as `53/udp`.
    pub others: Vec<String>,
    /// Whether the file names its container, so that only one checkout can have it.
    pub has_container_name: bool,
}

/// Returns what the compose file at `path`, relative to `root`, publishes; without a path, that of the files
/// that the project uses.
pub fn published(root: &Path, path: Option<&str>) -> Option<PublishedFiles> {
    let records = Records::default();
    let root = Dir::open(root, "", &records);
    let file = match path {
        Some(path) => File::at(&root, path)?,
        None => File::of_root(&root)?,
    };
    let services = file.compose.services.iter();
    let services = services.map(|(name, service)| PublishedService {
        name: name.clone(),
        ports: match service.is_published {
            true => service.ports.clone(),
            false => Vec::new(),
        },
        others: service
            .other_ports
            .iter()
            .filter_map(|one| in_container(one))
            .collect(),
        has_container_name: service.has_container_name,
    });
    let is_used = |one: &PublishedService| {
        !one.ports.is_empty() || !one.others.is_empty() || one.has_container_name
    };
    Some(PublishedFiles {
        services: services.filter(is_used).collect(),
        file: file.dir.path_of(file.name()),
        dir: file.dir.path().to_owned(),
        names: file.names,
    })
}

/// Returns the port of the container in an entry of `ports`: `53:53/udp` or a mapping.
fn in_container(entry: &str) -> Option<String> {
    let is_port = |text: &String| {
        text.starts_with(|c: char| c.is_ascii_digit())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/-".contains(c))
    };
    let text = match serde_json::from_str::<Value>(entry) {
        Ok(long @ Value::Object(_)) => {
            let text = |key: &str| long.get(key).and_then(scalar);
            format!("{}/{}", text("target")?, text("protocol")?)
        }
        _ => entry.rsplit(':').next()?.to_owned(),
    };
    Some(text).filter(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_what_services_publish() {
        let temp = tempfile::tempdir().unwrap();
        let text = "services:\n  db: {image: postgres, container_name: shop-db, ports: ['5432:5432']}\n  \
                    dns: {image: x, ports: ['53:53/udp', {target: 54, protocol: udp}, '$P:1/udp']}\n  \
                    none: {image: y, expose: [80]}\n";
        std::fs::write(temp.path().join("compose.yaml"), text).unwrap();
        let found = published(temp.path(), None).unwrap();
        assert_eq!(
            (found.file.as_str(), found.dir.as_str()),
            ("compose.yaml", "")
        );
        let services: Vec<_> = found
            .services
            .iter()
            .map(|one| {
                (
                    one.name.as_str(),
                    one.ports.len(),
                    one.others.join(" "),
                    one.has_container_name,
                )
            })
            .collect();
        assert_eq!(
            services,
            [
                ("db", 1, String::new(), true),
                ("dns", 0, "53/udp 54/udp 1/udp".to_owned(), false)
            ]
        );
        assert_eq!(published(temp.path(), Some("compose.yaml")), Some(found));
        assert_eq!(published(temp.path(), Some("other.yaml")), None);
    }
}
