//! Every command ends, with a code that is documented and without a panic.

use crate::world::Ran;

/// The exit codes of what can happen here. 2 is not among them: nothing that a command reads is
/// ever invalid.
const CODES: [i32; 6] = [0, 1, 4, 5, 6, 124];

/// What a command may say that ends with 1.
const REFUSALS: [&str; 3] = [
    "the services of this checkout do not run",
    // By somebody else, or because a service failed whose start another command waits for.
    "the instance was stopped before it was ready",
    "the instance ended meanwhile",
];

/// `killed`: whether the run itself has sent it signals.
pub(crate) fn judge(ran: &Ran, killed: bool) -> Option<String> {
    if let Some(wrong) = judge_any(ran) {
        return Some(wrong);
    }
    let wrong = |why: &str| Some(format!("{why}: {ran:?}"));
    // 128 and the signal, also where the command has caught it.
    if killed && ran.code >= 128 {
        return None;
    }
    if !CODES.contains(&ran.code) {
        return wrong("a command ends with a code that nothing here explains");
    }
    // What the doctor finds is an answer.
    let refused =
        ran.words.ends_with("doctor") || REFUSALS.iter().any(|words| ran.err.contains(words));
    if ran.code == 1 && !refused {
        return wrong("a command fails for no reason that there is here");
    }
    None
}

/// What holds of every command, also of one whose directory was deleted under it.
pub(crate) fn judge_any(ran: &Ran) -> Option<String> {
    let wrong = |why: &str| Some(format!("{why}: {ran:?}"));
    if ran.hung {
        return wrong("a command does not end");
    }
    if ran.err.contains("panicked at") || ran.code == 101 {
        return wrong("a command panicked");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_nothing_explains_are_found() {
        let is_wrong = |code, err: &str, killed| {
            let ran = Ran {
                words: String::new(),
                code,
                hung: false,
                out: String::new(),
                err: err.into(),
            };
            judge(&ran, killed).is_some()
        };
        assert!(!is_wrong(0, "", false));
        assert!(!is_wrong(137, "", true));
        assert!(is_wrong(137, "", false));
        assert!(is_wrong(2, "", true));
        assert!(is_wrong(101, "", true));
        assert!(is_wrong(0, "thread 'main' panicked at src", false));
        assert!(is_wrong(1, "error: disk I/O error", false));
    }
}
