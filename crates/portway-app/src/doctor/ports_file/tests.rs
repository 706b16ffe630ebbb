use portway_api::Severity;
use serde_json::json;

use super::*;

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// One service, which has leased port 9000.
fn evaluated(content: Value, change: impl FnOnce(&mut FileState<'_>)) -> Vec<Finding> {
    let file = PortsFile {
        content: map(content),
    };
    let port = file.content.get("api_port").cloned().unwrap_or(json!(9000));
    let url = format!("http://localhost:{port}");
    let leased = map(json!({"api_port": 9000}));
    let mut state = FileState {
        file: Ok(Some(&file)),
        keys: vec!["api_port".into()],
        own: map(json!({"api_port": port, "api_url": url})),
        leased,
        origins: BTreeMap::from([(
            "api_port".to_owned(),
            if port == 9000 {
                ValueOrigin::Portway
            } else {
                ValueOrigin::User
            },
        )]),
        owners: BTreeMap::from([(9500, PortOwner::Other("`api` of old".into()))]),
        running: false,
    };
    change(&mut state);
    evaluate(&state)
}

fn on(port: u16) -> Value {
    json!({"api_port": port, "api_url": format!("http://localhost:{port}"), "mine": 1})
}

#[track_caller]
fn one(findings: &[Finding], severity: Severity, words: &str, fixable: bool) {
    let [finding] = findings else {
        panic!("{findings:#?}");
    };
    assert_eq!(
        (finding.severity, finding.fixable),
        (severity, fixable),
        "{finding:#?}"
    );
    assert!(finding.message.contains(words), "{}", finding.message);
}

#[test]
fn accepts_a_file_with_the_leased_ports() {
    one(
        &evaluated(on(9000), |_| {}),
        Severity::Fine,
        "correct",
        false,
    );
    one(
        &evaluated(on(9000), |state| state.running = true),
        Severity::Fine,
        "correct",
        false,
    );
}

#[test]
fn recognizes_a_file_of_another_checkout() {
    let copied = |state: &mut FileState<'_>| {
        let origin = ValueOrigin::OtherCheckout;
        state.origins.insert("api_port".to_owned(), origin);
    };
    one(
        &evaluated(on(9001), copied),
        Severity::Error,
        "belongs to another checkout",
        true,
    );
    one(
        &evaluated(on(9500), copied),
        Severity::Error,
        "`api` of old",
        true,
    );
    let unknown = |state: &mut FileState<'_>| {
        copied(state);
        state.leased.clear();
    };
    one(
        &evaluated(on(9001), unknown),
        Severity::Error,
        "wrote `api_port`",
        true,
    );
}

#[test]
fn reports_unknown_keys_with_another_checkouts_port() {
    for (key, port, is_foreign) in [
        ("backend_port", 9500, true),
        ("backend_port", 9600, false),
        ("mine", 9500, false),
    ] {
        let mut content = on(9000);
        content[key] = json!(port);
        let findings = evaluated(content, |_| {});
        if is_foreign {
            let words =
                "has the unknown key `backend_port`, whose port 9500 belongs to `api` of old";
            one(&findings, Severity::Warning, words, false);
        } else {
            one(&findings, Severity::Fine, "correct", false);
        }
    }
}

#[test]
fn never_overwrites_ports_that_a_user_wrote() {
    one(&evaluated(on(9001), |_| {}), Severity::Fine, "", false);
    let running = |state: &mut FileState<'_>| state.running = true;
    one(
        &evaluated(on(9001), running),
        Severity::Error,
        "the service is running on 9000",
        false,
    );
    one(
        &evaluated(on(9500), |_| {}),
        Severity::Error,
        "belongs to `api` of old",
        false,
    );
    let mut both = on(9001);
    both["api_url"] = json!("http://localhost:1");
    let findings = evaluated(both, running);
    assert_eq!(findings.len(), 2, "{findings:#?}");
    for finding in findings {
        assert!(!finding.fixable, "{finding:#?}");
        assert_eq!(finding.repair.as_deref(), Some(APPLY_FILE));
    }
}

#[test]
fn reports_inconsistent_urls_and_missing_keys() {
    let mut url = on(9000);
    url["api_url"] = json!("http://localhost:9001");
    one(
        &evaluated(url, |_| {}),
        Severity::Error,
        "`api_url` does not match",
        true,
    );
    let missing = json!({"api_port": 9000});
    one(
        &evaluated(missing.clone(), |_| {}),
        Severity::Warning,
        "lacks `api_url`",
        true,
    );
    let running = |state: &mut FileState<'_>| state.running = true;
    one(
        &evaluated(missing, running),
        Severity::Error,
        "lacks `api_url`",
        true,
    );
}

#[test]
fn reports_a_missing_file_while_services_are_running() {
    let gone = |state: &mut FileState<'_>| state.file = Ok(None);
    one(
        &evaluated(json!({}), gone),
        Severity::Warning,
        "does not exist yet",
        true,
    );
    let running = |state: &mut FileState<'_>| {
        state.file = Ok(None);
        state.running = true;
    };
    one(
        &evaluated(json!({}), running),
        Severity::Error,
        "although",
        true,
    );
    // Without known ports there is nothing to write.
    let unknown = |state: &mut FileState<'_>| {
        state.file = Ok(None);
        state.keys.clear();
    };
    assert_eq!(evaluated(json!({}), unknown), []);
}
