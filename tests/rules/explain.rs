//! `explain` and `schema`: what one reads, and that there is a page for everything.

use redrill::report::{explain, plan_schema, topic, topics, type_schema};
use serde_json::Value;
use snapbox::{assert_data_eq, file};

use super::{AROUND, RULES, files, read};

fn page(name: &str) -> String {
    let topic = topic(&RULES, name).unwrap_or_else(|| panic!("no page of {name}"));
    explain(&RULES, &topic)
}

#[test]
fn pages_as_they_are_read() {
    assert_data_eq!(page("S3"), file!["explain/s3.txt"]);
    assert_data_eq!(page("efs.kmskeyid"), file!["explain/efs-key.txt"]);
    assert_data_eq!(
        page("rds.DBSnapshotIdentifier"),
        file!["explain/rds-returned.txt"]
    );
    assert_data_eq!(
        page("fsx.openzfsconfiguration"),
        file!["explain/fsx-map.txt"]
    );
}

#[test]
fn every_key_has_a_page() {
    for resource_type in RULES.types() {
        assert!(
            page(resource_type).contains("\nSource  https://"),
            "{resource_type}"
        );
        for name in topics(&RULES, &format!("{resource_type}.?")) {
            let page = page(&name);
            assert!(page.starts_with(&name), "{name}: {page}");
            assert!(page.contains("\nSource    https://"), "{name}: {page}");
            assert!(page.contains("\nExample   "), "{name}: {page}");
        }
    }
}

#[test]
fn a_topic_is_met_in_any_case_and_a_wrong_one_is_not() {
    assert_eq!(page("storage-gateway"), page("Storage Gateway"));
    assert_eq!(
        page("sap hana on amazon ec2"),
        page("SAP HANA on Amazon EC2")
    );
    for name in [
        "",
        "EF",
        "EFSX",
        "EFS.nothing",
        "FSx.WindowsConfiguration.nothing",
    ] {
        assert!(topic(&RULES, name).is_none(), "{name}");
    }
    let keys = topics(&RULES, "EFS.nothing");
    assert!(keys.contains(&"EFS.CreationToken".to_owned()), "{keys:?}");
    let types = topics(&RULES, "nothing");
    assert!(types.contains(&"Timestream".to_owned()), "{types:?}");
}

#[test]
fn the_schema_for_editors_is_fresh() {
    assert_data_eq!(
        plan_schema(&RULES),
        snapbox::Data::read_from(&super::root().join("schemas/plan.schema.json"), None).raw()
    );
}

#[test]
fn the_schema_for_editors_takes_what_redrill_takes() {
    let schema: Value = serde_json::from_str(&read("schemas/plan.schema.json")).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let plans = files("plans", "yaml").into_iter().map(|path| (path, ""));
    let fixtures = files("tests/rules/accepted", "yaml");
    for (path, around) in plans.chain(fixtures.into_iter().map(|path| (path, AROUND))) {
        let text = std::fs::read_to_string(&path).unwrap() + around;
        let plan: Value = serde_yaml::from_str(&text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&plan)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn the_schema_for_editors_sees_wrong_values() {
    let schema: Value = serde_json::from_str(&read("schemas/plan.schema.json")).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    for (resource_type, key, value) in [
        ("EFS", "PerformanceMode", "fast"),
        ("EFS", "newFileSystem", "perhaps"),
        ("EFS", "ThroughputMode", "bursting"),
        ("S3", "EncryptionType", "SSE_KMS"),
        ("EBS", "temporaryRestoreDays", "many"),
        ("EC2", "SecurityGroupIds", "sg-1,sg-2"),
    ] {
        let plan = serde_json::json!({
            "plan": "p",
            "target": { "region": "us-west-2", "account": "123456789012" },
            "restores": { "it": { "type": resource_type, "recovery_point": "arn:", "metadata": { key: value } } },
        });
        assert!(!validator.is_valid(&plan), "{resource_type}.{key}: {value}");
        let mut template = plan;
        template["restores"]["it"]["metadata"] = serde_json::json!({});
        assert!(validator.is_valid(&template));
    }
}

#[test]
fn the_schema_of_a_type_is_json_schema() {
    for resource_type in RULES.types() {
        let text = type_schema(&RULES, resource_type).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        assert!(
            jsonschema::draft202012::meta::is_valid(&schema),
            "{resource_type}"
        );
        assert!(!text.contains("x-include"), "{resource_type}");
    }
    assert!(type_schema(&RULES, "nothing").is_none());
}
