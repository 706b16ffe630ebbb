//! Prints preferences.

use portway_api::{ExplainedPreference, Preference, PreferenceSource};

use super::table::columns;
use super::{BOLD, DIM, out, styled};

/// Prints every preference with its value and source.
pub(crate) fn preferences(all: &[Preference]) -> bool {
    let mut rows = vec![["KEY", "VALUE", "SOURCE", ""].map(str::to_owned).to_vec()];
    for one in all {
        rows.push(vec![
            one.key.clone(),
            one.text.clone().unwrap_or_else(|| "-".into()),
            one.source.map_or("-", source).to_owned(),
            one.place.clone().unwrap_or_default(),
        ]);
    }
    out(&columns(rows, "", &[]))
}

/// Prints one preference with all its sources; effective ones are marked.
pub(crate) fn explained(explained: &ExplainedPreference) -> bool {
    let Preference { key, text, .. } = &explained.preference;
    let value = text.as_deref().unwrap_or("(no value)");
    let mut all = format!(
        "{} = {value}\n{}\n",
        styled(BOLD, key),
        styled(DIM, &explained.about)
    );
    let rows = explained.layers.iter().map(|layer| {
        let mark = if layer.counts { "*" } else { "" };
        vec![
            mark.to_owned(),
            source(layer.source).to_owned(),
            layer.text.clone().unwrap_or_else(|| "-".into()),
            layer.place.clone().unwrap_or_default(),
        ]
    });
    all.push_str(&columns(rows.collect(), "", &[]));
    out(&all)
}

fn source(source: PreferenceSource) -> &'static str {
    match source {
        PreferenceSource::Flag => "flag",
        PreferenceSource::Environment => "environment",
        PreferenceSource::Project => "project",
        PreferenceSource::User => "user",
        PreferenceSource::Default => "default",
    }
}
