//! The container images: the static binary and nothing else.
//!
//! Each file is an OCI image layout with the list that `docker load` reads, so that Docker, Podman and
//! skopeo take it. `COPY --from` copies the binary into an image with a shell.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{
    Built, HOMEPAGE, Output, SUMMARY, VERSION, archive, copy, copy_licenses, files, sha256, write,
};

/// [`super::TIME`] in the format of the images.
const CREATED: &str = "1985-10-26T08:15:00Z";

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A file of the layout, which has its hash as its name.
struct Blob {
    hash: String,
    size: usize,
}

impl Blob {
    fn write(bytes: &[u8], layout: &Path) -> Result<Self, String> {
        let hash = sha256(bytes);
        write(&layout.join("blobs/sha256").join(&hash), bytes, 0o644)?;
        let size = bytes.len();
        Ok(Self { hash, size })
    }

    /// Where the file is in the layout.
    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.hash)
    }

    fn descriptor(&self, media_type: &str) -> Value {
        let digest = format!("sha256:{}", self.hash);
        json!({ "mediaType": media_type, "digest": digest, "size": self.size })
    }
}

/// Writes the image of a platform of Linux, and returns its file.
pub(super) fn write_image(
    built: &Built<'_>,
    output: &Output<'_>,
) -> Result<Option<PathBuf>, String> {
    let Some(architecture) = &built.platform.image else {
        return Ok(None);
    };
    let dir = output.stage.join("image").join(architecture);
    let (content, layout) = (dir.join("content"), dir.join("layout"));
    copy(&built.binary, &content.join("portway"), 0o755)?;
    copy_licenses(&content.join("licenses"))?;
    let (tar, packed) = (dir.join("layer.tar"), dir.join("layer.tar.gz"));
    archive::tar(&content, ".", &tar)?;
    archive::tar_gz(&content, ".", &packed, output.level)?;
    let layer = Blob::write(&files::read(&packed)?, &layout)?;
    let config = config(architecture, &sha256(&files::read(&tar)?));
    let config = Blob::write(&text(&config), &layout)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(CONFIG),
        "layers": [layer.descriptor(LAYER)],
    });
    let manifest = Blob::write(&text(&manifest), &layout)?.descriptor(MANIFEST);
    for (name, value) in [
        ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })),
        ("index.json", index(architecture, manifest)),
        ("manifest.json", list_for_docker(&config, &layer)),
    ] {
        write(&layout.join(name), &text(&value), 0o644)?;
    }
    let file = output
        .out
        .join(format!("portway-{VERSION}-image-{architecture}.tar"));
    archive::tar(&layout, ".", &file)?;
    Ok(Some(file))
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// What a container of the image runs, and what the image says about itself.
fn config(architecture: &str, layer: &str) -> Value {
    json!({
        "created": CREATED,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Entrypoint": ["/portway"],
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/"],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": "Portway",
                "org.opencontainers.image.description": SUMMARY,
                "org.opencontainers.image.version": VERSION,
                "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
                "org.opencontainers.image.source": HOMEPAGE,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created": CREATED, "comment": "cargo xtask package" }],
    })
}

fn index(architecture: &str, mut manifest: Value) -> Value {
    manifest["platform"] = json!({ "architecture": architecture, "os": "linux" });
    manifest["annotations"] = json!({
        "org.opencontainers.image.ref.name": VERSION,
        "io.containerd.image.name": format!("docker.io/library/portway:{VERSION}"),
    });
    json!({ "schemaVersion": 2, "manifests": [manifest] })
}

/// What versions of Docker before 25 read instead of the index.
fn list_for_docker(config: &Blob, layer: &Blob) -> Value {
    json!([{
        "Config": config.path(),
        "RepoTags": [format!("portway:{VERSION}")],
        "Layers": [layer.path()],
    }])
}
