//! The list of the crates that a binary of any platform contains, in the format CycloneDX.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::write as write_file;
use crate::command::{output, root};
use crate::package::VERSION;
use crate::tools::Tool;

const TOOL: Tool = Tool {
    name: "cargo-sbom",
    version: "0.10.0",
    options: &[],
};

/// Writes the list, and returns its file.
pub(super) fn write(out: &Path) -> Result<PathBuf, String> {
    let format = "cyclone_dx_json_1_6";
    let text = output(
        Command::new(TOOL.ensure()?)
            .args(["--cargo-package", "portway", "--output-format", format])
            .current_dir(root()),
    )?;
    let list = serde_json::from_str(&text)
        .map_err(|error| format!("cannot read the output of `{}`: {error}", TOOL.name))?;
    let file = out.join(format!("portway-{VERSION}.cdx.json"));
    write_file(&file, &format!("{:#}\n", without_chance(list)))?;
    Ok(file)
}

/// Removes and sorts what differs each time or on each machine: the same sources give the same bytes. The format
/// requires none of the removed fields, and no order.
fn without_chance(mut list: Value) -> Value {
    if let Some(list) = list.as_object_mut() {
        list.remove("serialNumber");
    }
    if let Some(metadata) = list.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["timestamp", "authors"] {
            metadata.remove(field);
        }
    }
    for (field, name) in [("components", "bom-ref"), ("dependencies", "ref")] {
        let Some(entries) = list.get_mut(field).and_then(Value::as_array_mut) else {
            continue;
        };
        entries.sort_by_cached_key(|entry| entry[name].to_string());
        for entry in entries {
            if let Some(names) = entry.get_mut("dependsOn").and_then(Value::as_array_mut) {
                names.sort_by_cached_key(Value::to_string);
            }
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn removes_what_differs_each_time() {
        let list = json!({
            "serialNumber": "urn:uuid:1", "version": 1,
            "metadata": { "timestamp": "2026-12-01T00:00:00Z", "authors": [{}], "tools": [] },
            "components": [{ "bom-ref": "b" }, { "bom-ref": "a" }],
            "dependencies": [{ "ref": "b", "dependsOn": ["d", "c"] }, { "ref": "a" }],
        });
        let expected = json!({
            "version": 1,
            "metadata": { "tools": [] },
            "components": [{ "bom-ref": "a" }, { "bom-ref": "b" }],
            "dependencies": [{ "ref": "a" }, { "ref": "b", "dependsOn": ["c", "d"] }],
        });
        assert_eq!(without_chance(list), expected);
    }
}
