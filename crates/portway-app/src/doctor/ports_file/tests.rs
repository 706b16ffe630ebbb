use portway_api::Severity;
use serde_json::json;

use portway_registry::WrittenValue;

use super::*;

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// One service, which has leased port 9000.
fn judged(content: Value, change: impl FnOnce(&mut Facts<'_>)) -> Vec<Finding> {
    let file = PortsFile {
        content: map(content),
    };
    let port = file.content.get("api_port").cloned().unwrap_or(json!(9000));
    let url = format!("http://localhost:{port}");
    let leased = map(json!({"api_port": 9000}));
    let written = WrittenValues([("api_port".to_owned(), WrittenValue::Port(9000))].into());
    let mut facts = Facts {
        file: Ok(Some(&file)),
        keys: vec!["api_port".into()],
        own: map(json!({"api_port": port, "api_url": url})),
        leased,
        written: &written,
        copied: false,
        owners: BTreeMap::from([(9500, PortOwner::Other("`api` of old".into()))]),
        running: false,
    };
    change(&mut facts);
    judge(&facts)
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
fn a_file_that_says_what_is_leased_is_true() {
    one(&judged(on(9000), |_| {}), Severity::Fine, "true", false);
    one(
        &judged(on(9000), |facts| facts.running = true),
        Severity::Fine,
        "true",
        false,
    );
}

#[test]
fn a_file_of_another_checkout_is_known() {
    let copied = |facts: &mut Facts<'_>| facts.copied = true;
    one(
        &judged(on(9001), copied),
        Severity::Error,
        "is of another checkout",
        true,
    );
    one(
        &judged(on(9500), copied),
        Severity::Error,
        "`api` of old",
        true,
    );
    let unknown = |facts: &mut Facts<'_>| {
        facts.copied = true;
        facts.leased.clear();
    };
    one(
        &judged(on(9001), unknown),
        Severity::Error,
        "wrote its `api_port`",
        true,
    );
}

#[test]
fn a_key_that_is_no_services_here_and_leads_to_another_checkout_is_told_and_stays() {
    for (key, port, is_foreign) in [
        ("backend_port", 9500, true),
        ("backend_port", 9600, false),
        ("mine", 9500, false),
    ] {
        let mut content = on(9000);
        content[key] = json!(port);
        let findings = judged(content, |_| {});
        if is_foreign {
            let words =
                "has `backend_port`, 9500, which is no service's here and belongs to `api` of old";
            one(&findings, Severity::Warning, words, false);
        } else {
            one(&findings, Severity::Fine, "true", false);
        }
    }
}

#[test]
fn what_a_person_asks_for_counts_from_the_next_start_and_is_never_overwritten() {
    one(&judged(on(9001), |_| {}), Severity::Fine, "", false);
    let running = |facts: &mut Facts<'_>| facts.running = true;
    one(
        &judged(on(9001), running),
        Severity::Error,
        "the service runs on 9000",
        false,
    );
    one(
        &judged(on(9500), |_| {}),
        Severity::Error,
        "belongs to `api` of old",
        false,
    );
    let mut both = on(9001);
    both["api_url"] = json!("http://localhost:1");
    let findings = judged(both, running);
    assert_eq!(findings.len(), 2, "{findings:#?}");
    for finding in findings {
        assert!(!finding.fixable, "{finding:#?}");
        assert_eq!(finding.repair.as_deref(), Some(TAKE_OVER));
    }
}

#[test]
fn a_url_that_leads_elsewhere_and_a_missing_key_are_told() {
    let mut url = on(9000);
    url["api_url"] = json!("http://localhost:9001");
    one(
        &judged(url, |_| {}),
        Severity::Error,
        "`api_url` leads elsewhere",
        true,
    );
    let missing = json!({"api_port": 9000});
    one(
        &judged(missing.clone(), |_| {}),
        Severity::Warning,
        "lacks `api_url`",
        true,
    );
    let running = |facts: &mut Facts<'_>| facts.running = true;
    one(
        &judged(missing, running),
        Severity::Error,
        "lacks `api_url`",
        true,
    );
}

#[test]
fn a_file_that_is_not_there_matters_while_services_run() {
    let gone = |facts: &mut Facts<'_>| facts.file = Ok(None);
    one(
        &judged(json!({}), gone),
        Severity::Warning,
        "not there yet",
        true,
    );
    let running = |facts: &mut Facts<'_>| {
        facts.file = Ok(None);
        facts.running = true;
    };
    one(
        &judged(json!({}), running),
        Severity::Error,
        "although",
        true,
    );
    // Where nobody knows what there is, there is nothing to write.
    let unknown = |facts: &mut Facts<'_>| {
        facts.file = Ok(None);
        facts.keys.clear();
    };
    assert_eq!(judged(json!({}), unknown), []);
}
