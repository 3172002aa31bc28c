//! The registry of rules: each is explained, fires somewhere, and is silent elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use redrill::diagnostic::rule;
use redrill::report::explain_rule;
use snapbox::{assert_data_eq, file};

use super::files::fixture;
use super::{RULES, check, files, read, root};

/// The cases of every form: what each restore of each plan has been told, by rule.
fn cases() -> Vec<BTreeSet<String>> {
    let mut cases = Vec::new();
    for folder in ["accepted", "rejected", "warned"] {
        for path in files(&format!("tests/cases/{folder}"), "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let findings = crate::findings::check("case.yaml", &text);
            cases.push(findings.into_iter().map(|finding| finding.rule).collect());
        }
    }
    for folder in ["accepted", "rejected"] {
        for path in files(&format!("tests/rules/{folder}"), "yaml") {
            let (name, text) = fixture(&path);
            let findings = check(&name, &text);
            cases.push(findings.into_iter().map(|finding| finding.rule).collect());
        }
    }
    cases
}

/// Rules that need more than a plan to fire, such as a lock file or a vault, and the test that makes them.
fn elsewhere() -> BTreeMap<String, String> {
    serde_yaml::from_str(&read("tests/rules/elsewhere.yaml")).unwrap()
}

fn id_in_tests(id: &str) -> String {
    id.trim_start_matches("TYPE").to_owned()
}

fn constant(id: &str) -> String {
    format!("rule::{}", id.replace(['/', '-'], "_").to_uppercase())
}

#[test]
fn issue_15_every_rule_fires_in_some_case_and_is_silent_in_another() {
    let cases = cases();
    let elsewhere = elsewhere();
    let mut wrong = Vec::new();
    for rule in rule::ALL {
        let name = rule.id.strip_prefix("TYPE/");
        let fires = |case: &BTreeSet<String>| match name {
            Some("KEY") => case.iter().any(|id| id.ends_with("/PerformanceMode")),
            Some(name) => case.iter().any(|id| id.split_once('/').unwrap().1 == name),
            None => case.contains(rule.id),
        };
        match (cases.iter().any(fires), elsewhere.get(rule.id)) {
            (true, Some(_)) => wrong.push(format!("{}: a case fires it", rule.id)),
            // Tests within the program name it by its constant.
            (false, Some(test))
                if ![id_in_tests(rule.id), constant(rule.id)]
                    .iter()
                    .any(|name| read(test).contains(name)) =>
            {
                wrong.push(format!("{}: {test} does not name it", rule.id));
            }
            (false, None) => wrong.push(format!("{}: no case fires it", rule.id)),
            _ => {}
        }
        if cases.iter().all(fires) {
            wrong.push(format!("{}: every case fires it", rule.id));
        }
    }
    let unknown = elsewhere.keys().filter(|id| rule::find(id).is_none());
    wrong.extend(unknown.map(|id| format!("{id}: there is no such rule")));
    assert!(
        wrong.is_empty(),
        "add a case to tests/cases, or a line to tests/rules/elsewhere.yaml: {wrong:#?}"
    );
}

#[test]
fn issue_15_the_page_has_every_rule_in_the_order_of_the_registry() {
    let page = read("docs/rules.md");
    let sections = page.split("\n### ").skip(1);
    let told: Vec<(&str, &str)> = sections
        .map(|section| {
            let mut lines = section.lines();
            (lines.next().unwrap(), lines.nth(1).unwrap())
        })
        .collect();
    let wanted: Vec<(&str, String)> = rule::ALL
        .iter()
        .map(|rule| {
            let severity = format!("{:?}", rule.severity).to_lowercase();
            (rule.id, format!("*{severity}*: {}.", rule.title))
        })
        .collect();
    let wanted: Vec<(&str, &str)> = wanted
        .iter()
        .map(|(id, line)| (*id, line.as_str()))
        .collect();
    assert_eq!(told, wanted);
    let mut ids = BTreeSet::new();
    for rule in rule::ALL {
        assert!(ids.insert(rule.id), "{} is there twice", rule.id);
        assert!(
            rule.explanation().ends_with('.'),
            "{}: {}",
            rule.id,
            rule.explanation()
        );
        assert!(!rule.title.ends_with('.'), "{}", rule.id);
    }
}

#[test]
fn issue_15_every_rule_can_be_explained() {
    let ids = RULES.ids();
    assert!(ids.len() > 400, "{}", ids.len());
    for id in &ids {
        let rule = RULES
            .described(&id.to_uppercase())
            .unwrap_or_else(|| panic!("{id}"));
        assert_eq!(rule.id, *id);
        let page = explain_rule(&rule);
        assert!(
            !rule.title.is_empty() && rule.explanation.ends_with(['.', '?']),
            "{page}"
        );
        let of_type = !rule.id.starts_with("TYPE/") && rule::find(id).is_none();
        assert!(!of_type || rule.url.is_some(), "{page}");
    }
    for id in [
        "",
        "plan",
        "plan/",
        "/type",
        "nothing/unknown-key",
        "EFS/nothing",
    ] {
        assert!(RULES.described(id).is_none(), "{id}");
    }
}

#[test]
fn issue_15_the_pages_of_rules_as_they_are_read() {
    let page = |id: &str| explain_rule(&RULES.described(id).unwrap());
    assert_data_eq!(page("plan/type"), file!["explain/plan-type.txt"]);
    assert_data_eq!(
        page("efs/new-needs-creation-token"),
        file!["explain/efs-rule.txt"]
    );
    assert_data_eq!(
        page("EFS/unknown-key"),
        file!["explain/efs-unknown-key.txt"]
    );
    assert_data_eq!(page("EFS/KmsKeyId"), file!["explain/efs-kms.txt"]);
}

/// What a page calls a rule is one.
#[test]
fn issue_15_rules_that_documents_name_exist() {
    let areas: BTreeSet<&str> = rule::ALL
        .iter()
        .map(|rule| rule.id.split_once('/').unwrap().0)
        .collect();
    let mut pages = files("docs", "md");
    pages.extend(["README.md", "CHANGELOG.md", "schemas/README.md"].map(|page| root().join(page)));
    for path in pages {
        let text = std::fs::read_to_string(&path).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let Some((area, name)) = quoted.split_once('/') else {
                continue;
            };
            let is_id = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            if areas.contains(area) && is_id && !name.is_empty() {
                assert!(
                    rule::find(quoted).is_some(),
                    "{}: `{quoted}`",
                    path.display()
                );
            }
        }
    }
}
