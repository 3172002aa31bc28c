//! `redrill explain RULE`, and rules that fire where an inventory is at hand.

use snapbox::str;

use crate::support::{folder, redrill, write};

#[test]
fn issue_15_explain_tells_what_a_rule_means() {
    let folder = folder();
    let explain = |id: &str| redrill(folder.path()).args(["explain", id]).assert();
    explain("yaml/duplicate-key").success().stdout_eq(str![[r#"
yaml/duplicate-key

A map has the same key twice.

YAML does not allow it, and most programs silently take the last one: a restore
or a setting would be lost. Remove one of the two, or rename it.

Severity  error

"#]]);
    explain("EFS/KMS-needs-encrypted").success();
    explain("plan/typ").code(64).stderr_eq(str![[r#"
error: unknown rule `plan/typ`; did you mean `plan/type`?

"#]]);
    explain("efs/newfilesytem").code(64).stderr_eq(str![[r#"
error: unknown rule `efs/newfilesytem`; did you mean `EFS/newFileSystem`?

"#]]);
}

const WORLD: &str = "account: \"123456789012\"
region: us-west-2
vaults:
  dr:
    recovery_points:
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:a
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-a
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:b
        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-b
        resource_type: EFS
        created_at: 2026-11-20T03:00:00Z
";

const PLAN: &str = "plan: files
target:
  region: us-west-2
  account: \"123456789012\"
  iam_role_arn: arn:aws:iam::123456789012:role/restore
restores:
  several:
    type: EFS
    recovery_point: { vault: dr }
    metadata: { newFileSystem: true }
  none:
    type: EFS
    recovery_point:
      resource: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-a
      created_before: 2026-01-01
    metadata: { newFileSystem: true }
";

#[test]
fn issue_15_selectors_are_told_apart_by_their_rules() {
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &PLAN.replace(
            "newFileSystem: true",
            "newFileSystem: true, CreationToken: '{{ restore }}'",
        ),
    );
    write(folder.path(), "world.yaml", WORLD);
    let rules = |arguments: &[&str]| -> Vec<String> {
        let output = redrill(folder.path())
            .args(["validate", "plan.yaml", "--format", "json"])
            .args(arguments)
            .output()
            .unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = document["findings"].as_array().unwrap();
        let ids = findings
            .iter()
            .map(|finding| finding["rule"].as_str().unwrap().to_owned());
        ids.filter(|id| id.starts_with("selector/")).collect()
    };
    assert_eq!(rules(&[]), ["selector/unresolved"]);
    assert_eq!(
        rules(&["--inventory", "world.yaml"]),
        ["selector/several-resources", "selector/nothing-fits"]
    );
}
