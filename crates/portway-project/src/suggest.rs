//! Suggestions for a misspelled name: "did you mean …?".

/// The Jaro-Winkler similarity above which a candidate counts as a misspelling.
const MIN_SIMILARITY: f64 = 0.75;

/// The candidate most similar to `word`, if any is similar enough to be a misspelling of it.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity > MIN_SIMILARITY)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A help text for an unknown name: the closest candidate, or all of them.
pub fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match closest(word, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            let mut all: Vec<String> = Vec::new();
            for candidate in candidates {
                let quoted = format!("`{candidate}`");
                if !all.contains(&quoted) {
                    all.push(quoted);
                }
            }
            match all.as_slice() {
                [] => "remove it".into(),
                [one] => format!("use {one}"),
                _ => format!("use one of {}", all.join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_similar_names() {
        let names = ["backend", "frontend", "redis"];
        assert_eq!(closest("bakend", names), Some("backend"));
        assert_eq!(closest("fronted", names), Some("frontend"));
        assert_eq!(closest("mailer", names), None);
        assert_eq!(suggestion("bakend", names), "did you mean `backend`?");
        assert_eq!(
            suggestion("mailer", names),
            "use one of `backend`, `frontend`, `redis`"
        );
    }
}
