//! Faults of the same kind as `field.rs` has: types that are not known, and redrill's mark.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use redrill::diagnostic::Severity;
use redrill::rules::Rules;
use serde_json::Value;

use super::field::WEST;
use super::{check, read, recovery_point};

#[test]
fn field_m_a_type_one_word_off_has_a_suggestion() {
    let rules = Rules::embedded();
    for (written, meant) in [
        ("DSQL", "Aurora DSQL"),
        ("SAP HANA", "SAP HANA on Amazon EC2"),
        ("Amazon EFS", "EFS"),
        ("DocDB", "DocumentDB"),
        ("docdb", "DocumentDB"),
        ("StorageGateway", "Storage Gateway"),
        ("VMware", "VirtualMachine"),
        ("Amazon S3", "S3"),
        ("CFN", "CloudFormation"),
    ] {
        assert_eq!(rules.meant(written), Some(meant));
        let plan = format!(
            "{{ plan: m, target: {WEST}, restores: {{ a: {{ type: \"{written}\", recovery_point: \"{}\" }} }} }}",
            recovery_point(meant)
        );
        let findings = check("m", &plan);
        assert_eq!(findings[0].help, format!("did you mean `{meant}`?"));
        assert_eq!(findings[0].severity, Severity::Warning);
    }
    // No other name is one of a type, nor two types' at once.
    let mut names = BTreeSet::new();
    for of_type in rules.types() {
        for name in rules.schema(of_type).unwrap()["x-redrill"]["mistaken"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let name = name.as_str().unwrap();
            assert!(!rules.knows(name), "{name}");
            assert_eq!(rules.meant(name), Some(of_type), "{name}");
            assert!(names.insert(name.to_lowercase()), "{name}");
        }
    }
}

/// redrill with a plan on the disk.
fn redrill(plan: &str, command: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.yaml");
    std::fs::File::create(&path)
        .unwrap()
        .write_all(plan.as_bytes())
        .unwrap();
    std::fs::write(folder.path().join("inventory.yaml"), INVENTORY).unwrap();
    Command::new(env!("CARGO_BIN_EXE_redrill"))
        .current_dir(folder.path())
        .args([command, "plan.yaml", "--color", "never"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

const INVENTORY: &str = r#"
account: "123456789012"
region: us-west-2
vaults:
  dr:
    recovery_points:
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0123456789abcdef0
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
        restore_metadata: { file-system-id: fs-0123456789abcdef0, "aws:backup:request-id": e9908485-bb92-496e-b349-ade6e1fd2c4b }
"#;

#[test]
fn field_m_a_type_that_is_not_known_does_not_pass_a_rehearsal() {
    for (of_type, hint, code) in [
        ("DSQL", "did you mean `Aurora DSQL`?", 4),
        // The rest is rehearsed, and is not the whole.
        ("ECS", "--only", 5),
    ] {
        let plan = format!(
            r#"
plan: m
target: {WEST}
restores:
  other:
    type: {of_type}
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
  files:
    type: EFS
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45
    metadata: {{ file-system-id: fs-0123456789abcdef0, newFileSystem: false }}
"#
        );
        let whole = redrill(&plan, "rehearse", &["--progress", "none"]);
        let errors = String::from_utf8_lossy(&whole.stderr).into_owned();
        assert_eq!(whole.status.code(), Some(code), "{errors}");
        let said = String::from_utf8_lossy(&whole.stdout);
        assert_eq!(said.contains("1 of 2 restored"), code == 5, "{said}");
        assert!(
            errors.contains("type/not-rehearsed") && errors.contains(hint),
            "{errors}"
        );
        let part = redrill(
            &plan,
            "rehearse",
            &["--progress", "none", "--only", "files"],
        );
        assert_eq!(
            part.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&part.stderr)
        );
        // AWS adds types faster than redrill learns of them.
        let checked = redrill(&plan, "validate", &[]);
        assert_eq!(checked.status.code(), Some(0));
        let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(!checked.contains("did you mean `EBS`?"), "{checked}");
    }
}

/// A plan of one restore, with a line of its own beside the type.
fn one(of_type: &str, line: &str, metadata: &str) -> String {
    format!(
        "plan: mark\ntarget: {WEST}\nrestores:\n  a:\n    type: {of_type}\n    {line}\n    recovery_point: {}\n    metadata: {metadata}\n",
        recovery_point(of_type)
    )
}

fn metadata_of(plan: &str) -> Value {
    let output = redrill(plan, "render", &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    line["request"]["Metadata"].clone()
}

#[test]
fn field_f_the_mark_is_sent_where_aws_documents_it() {
    const RDS: &str = "{ DBInstanceIdentifier: a }";
    const EFS: &str = "{ file-system-id: fs-0123456789abcdef0, newFileSystem: false }";
    let has = |plan: String| metadata_of(&plan).get("aws:backup:request-id").is_some();
    assert!(!has(one("RDS", "x-a: b", RDS).replace("    x-a: b\n", "")));
    assert!(has(one("EFS", "mark: true", EFS)));
    assert!(has(one(
        "EFS",
        "copy_source_tags_to_restored_resource: false",
        EFS
    )));
    assert!(!has(one("EFS", "mark: false", EFS)));
    assert!(has(one("RDS", "mark: true", RDS)));
    let of_all = one("EFS", "copy_source_tags_to_restored_resource: false", EFS);
    assert!(!has(
        of_all.replace("plan: mark\n", "plan: mark\nmark: false\n")
    ));
    let but_this = one("EFS", "mark: true", EFS);
    assert!(has(
        but_this.replace("plan: mark\n", "plan: mark\nmark: false\n")
    ));
}

/// The page, or the answer, that says so stands in the file of each type that is marked; our own page lists these types.
#[test]
fn field_f_each_type_that_is_marked_says_why() {
    let rules = Rules::embedded();
    let is_marked = |name: &&str| rules.schema(name).unwrap()["x-redrill"]["mark"].is_string();
    let marked: BTreeSet<&str> = rules.types().filter(is_marked).collect();
    let page = read("docs/tokens.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | sent: "));
    let listed: BTreeSet<&str> = rows.flat_map(|(types, _)| types.split(", ")).collect();
    assert_eq!(listed, marked, "docs/tokens.md says who is sent the mark");
    assert!(marked.contains("EFS"));
}

#[test]
fn field_f_and_n7_the_dry_run_shows_the_mark_as_no_change() {
    let plan = one(
        "EFS",
        "mark: true",
        "{ file-system-id: fs-0123456789abcdef0, newFileSystem: false }",
    );
    let arguments = ["--inventory", "inventory.yaml", "--no-color"];
    let human = redrill(&plan, "plan", &arguments[..2]);
    let text = String::from_utf8_lossy(&human.stdout).into_owned();
    assert!(!text.contains("request-id"), "{text}");
    assert!(text.contains("1 key unchanged"), "{text}");
    let json = redrill(
        &plan,
        "plan",
        &["--inventory", "inventory.yaml", "--format", "json"],
    );
    let document: Value = serde_json::from_slice(&json.stdout).unwrap();
    let restore = &document["restores"][0];
    assert!(restore["request"]["Metadata"]["aws:backup:request-id"].is_string());
    let keys: Vec<&str> = restore["diff"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["newFileSystem"]);
}
