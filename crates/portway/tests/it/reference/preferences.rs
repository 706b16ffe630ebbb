//! The page of the preference keys.

use portway_project::preferences::keys;

const INTRODUCTION: &str = "\
# Preference keys

[Preferences](../preferences.md) explains how to set a preference and which value applies.

";

pub(super) fn page() -> String {
    format!("{INTRODUCTION}{}", keys::markdown())
}
