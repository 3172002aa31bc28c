//! Gaps fail: a rule that no case tries, a key that nobody explains, a type without a plan.

use std::collections::{BTreeMap, BTreeSet};

use redrill::rules::{Rules, example};
use serde_json::Value;

use super::files::fixture;
use super::{check, check_metadata, corpus, files, read, root, rule_ids, slug, types};

#[test]
fn every_file_is_a_json_schema_named_after_its_type() {
    Rules::embedded().compile_all().unwrap();
}

#[test]
fn every_type_has_a_plan_and_cases() {
    for resource_type in types() {
        let slug = slug(&resource_type);
        assert!(
            root().join(format!("plans/{slug}.yaml")).exists(),
            "plans/{slug}.yaml: the smallest honest plan of {resource_type} is missing"
        );
        for of in ["accepted", "rejected"] {
            let has = files(&format!("tests/rules/{of}"), "yaml")
                .iter()
                .any(|path| {
                    let stem = path.file_stem().unwrap().to_string_lossy();
                    stem == slug || stem.starts_with(&format!("{slug}-"))
                });
            assert!(has, "tests/rules/{of}/{slug}-….yaml is missing");
        }
    }
}

#[test]
fn every_rule_fires_in_some_case_and_is_silent_in_another() {
    let rules = Rules::embedded();
    let mut ids = BTreeSet::new();
    for resource_type in rules.types() {
        rule_ids(rules.schema(resource_type).unwrap(), &mut ids);
    }
    // By restore, so that a case which fires a rule is not the one that is silent.
    let mut cases: Vec<BTreeSet<String>> = Vec::new();
    let fixtures = [
        files("tests/rules/accepted", "yaml"),
        files("tests/rules/rejected", "yaml"),
    ];
    for path in fixtures.iter().flatten() {
        let (name, text) = fixture(path);
        let mut by_restore: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for finding in check(&name, &text) {
            let restore = finding.restore.unwrap_or_default();
            by_restore
                .entry(restore.to_string())
                .or_default()
                .insert(finding.rule);
        }
        cases.extend(by_restore.into_values());
    }
    for case in corpus::cases() {
        if case.is_request() {
            let findings =
                check_metadata(&case.resource_type, &case.recovery_point(), &case.metadata);
            cases.push(findings.into_iter().map(|f| f.rule).collect());
        }
    }
    for id in [
        "metadata/bare-item",
        "metadata/boolean-case",
        "metadata/broken-json",
        "metadata/comma-list",
        "metadata/key-case",
    ] {
        ids.insert(id.to_owned());
    }
    let silent_everywhere: Vec<&String> = ids
        .iter()
        .filter(|id| !cases.iter().any(|case| case.contains(*id)))
        .collect();
    let never_silent: Vec<&String> = ids
        .iter()
        .filter(|id| cases.iter().all(|case| case.contains(*id)))
        .collect();
    assert!(
        silent_everywhere.is_empty(),
        "add a case to tests/rules/rejected for each of: {silent_everywhere:#?}"
    );
    assert!(never_silent.is_empty(), "{never_silent:#?}");
}

#[test]
fn rules_are_named_after_their_type() {
    let rules = Rules::embedded();
    for resource_type in rules.types() {
        let mut ids = BTreeSet::new();
        rule_ids(rules.schema(resource_type).unwrap(), &mut ids);
        // EKS includes the rules of EBS, for volumes.
        for id in ids
            .iter()
            .filter(|id| resource_type != "EKS" || !id.starts_with("EBS/"))
        {
            assert!(id.starts_with(&format!("{resource_type}/")), "{id}");
        }
    }
}

#[test]
fn every_key_has_a_meaning_an_example_and_a_source() {
    let rules = Rules::embedded();
    for resource_type in rules.types() {
        let schema = rules.schema(resource_type).unwrap();
        assert_address(&schema["x-redrill"]["url"], resource_type);
        assert!(schema["description"].is_string(), "{resource_type}");
        for (key, of) in keys(schema) {
            let place = format!("{resource_type}.{key}");
            assert!(example(of).is_some(), "{place} has no example");
            described(of, &place);
        }
    }
}

/// A key, and every member of it that the schema names, has a meaning.
fn described(of: &Value, place: &str) {
    let meaning = of["description"].as_str().unwrap_or_default();
    assert!(
        meaning.ends_with('.'),
        "{place}: `{meaning}` is no sentence"
    );
    if let Some(url) = of["x-redrill"].get("url") {
        assert_address(url, place);
    }
    for of in [of, &of["items"]] {
        for (member, of) in keys(of) {
            described(of, &format!("{place}.{member}"));
        }
    }
}

fn assert_address(url: &Value, place: &str) {
    let url = url.as_str().unwrap_or_default();
    let known = ["https://docs.aws.amazon.com/", "https://github.com/"];
    assert!(known.iter().any(|k| url.starts_with(k)), "{place}: `{url}`");
}

fn keys(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    ["properties", "patternProperties"]
        .into_iter()
        .filter_map(|of| schema.get(of)?.as_object())
        .flatten()
        .filter(|(_, of)| of.get("properties").is_none() || of.get("description").is_some())
}

/// `documented-keys.yaml` lists the keys of each page of AWS, and what each page says is required.
#[test]
fn every_documented_key_is_known() {
    let documented: BTreeMap<String, Vec<Page>> =
        serde_yaml::from_str(&read("tests/rules/documented-keys.yaml")).unwrap();
    let rules = Rules::embedded();
    let all: Vec<&str> = rules.types().collect();
    let listed: Vec<&str> = documented.keys().map(String::as_str).collect();
    assert_eq!(all, listed);
    let mut missing = Vec::new();
    for (resource_type, pages) in &documented {
        let schema = rules.schema(resource_type).unwrap();
        for page in pages {
            assert_address(&Value::from(page.page.as_str()), resource_type);
            for key in &page.keys {
                let properties = match &page.within {
                    Some(within) => &schema["properties"][within],
                    None => schema,
                };
                let items = &properties["items"];
                let is_known = keys(properties)
                    .chain(keys(items))
                    .any(|(known, _)| known.eq_ignore_ascii_case(key));
                if !is_known {
                    missing.push(format!("{resource_type}: {key}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    page: String,
    /// The key whose members the page lists.
    #[serde(default)]
    within: Option<String>,
    keys: Vec<String>,
}
