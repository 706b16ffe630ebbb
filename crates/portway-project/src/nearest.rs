//! "Did you mean …?"

/// The candidate most like `word`, if any is like enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", or a list of what there is.
pub fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => {
            let all: Vec<_> = candidates
                .into_iter()
                .map(|candidate| format!("`{candidate}`"))
                .collect();
            match all.as_slice() {
                [] => "there is none".into(),
                [one] => format!("there is only {one}"),
                _ => format!("there are {}", all.join(", ")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        let names = ["backend", "frontend", "redis"];
        assert_eq!(nearest("bakend", names), Some("backend"));
        assert_eq!(nearest("fronted", names), Some("frontend"));
        assert_eq!(nearest("mailer", names), None);
        assert_eq!(suggestion("bakend", names), "did you mean `backend`?");
        assert_eq!(
            suggestion("mailer", names),
            "there are `backend`, `frontend`, `redis`"
        );
    }
}
