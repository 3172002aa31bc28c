//! `export kit --check`: what a plan means now against the kit that was exported from it.

use std::path::Path;

use super::{export, exported, said};
use crate::support::{folder, write};

const PLAN: &str = r#"plan: shop
description: The shop.
vars: { group: { default: blue } }
limits: { concurrent: 10 }
target:
  region: us-west-2
  account: "123456789012"
  iam_role_arn: arn:aws:iam::123456789012:role/restore
restores:
  files:
    type: EFS
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:files
    metadata:
      file-system-id: fs-0a1b2c3d
      newFileSystem: true
      Encrypted: true
      CreationToken: "{{ restore }}-{{ run.id }}-{{ vars.group }}"
    checks:
      - { name: mounts, run: [./mount.sh, "{{ created.resource_arn }}"], timeout: 5m }
  table:
    type: DynamoDB
    timeout: 2h
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:table
    metadata: { targetTableName: orders, encryptionType: Default }
  app:
    type: CloudFormation
    needs: [files]
    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:app
    metadata:
      ChangeSetName: app
      StackName: app
      StackParameters: { Arn: "{{ restores.files.created.resource_arn }}" }
cutover:
  - { name: dns, run: [./dns.sh] }
"#;

fn check(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = export(folder, &[&["--check", "kit"], more].concat());
    // Notes about the plan are on standard error.
    let text = match output.status.code() {
        Some(0 | 2) => String::from_utf8(output.stdout).unwrap(),
        _ => said(&output),
    };
    (output.status.code(), text)
}

/// What somebody changes in the plan, and what is said.
const CHANGES: [(&str, &str, &str); 22] = [
    (
        "Encrypted: true",
        "Encrypted: true\n      KmsKeyId: alias/dr",
        "`files`: `KmsKeyId` is new",
    ),
    (
        "      file-system-id: fs-0a1b2c3d\n",
        "      file-system-id: fs-0a1b2c3e\n",
        "`files`: `file-system-id` differs",
    ),
    (
        "Arn: \"{{ restores",
        "Other: \"{{ restores",
        "`app`: `StackParameters` differs",
    ),
    (
        "created.resource_arn }}\" }",
        "created.job_id }}\" }",
        "`app`: `StackParameters` differs",
    ),
    (
        ", encryptionType: Default",
        "",
        "`table`: `encryptionType` is no longer sent",
    ),
    (
        "recovery-point:files",
        "recovery-point:newer",
        "`files`: another recovery point",
    ),
    (
        "recovery-point:app",
        "recovery-point:app2",
        "`app`: another recovery point",
    ),
    ("  app:\n", "  stack:\n", "`app`: renamed to `stack`"),
    (
        "  table:\n    type: DynamoDB\n    timeout: 2h\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:table\n    metadata: { targetTableName: orders, encryptionType: Default }\n",
        "",
        "`table`: the plan no longer has it",
    ),
    (
        "  app:\n",
        "  more:\n    type: DynamoDB\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:more\n    metadata: { targetTableName: more, encryptionType: Default }\n  app:\n",
        "`more`: the kit does not have it",
    ),
    (
        "needs: [files]",
        "needs: [files, table]",
        "`app`: it needs files, table, and needed files",
    ),
    (
        "timeout: 2h",
        "timeout: 3h",
        "`table`: its `timeout` differs",
    ),
    (
        "region: us-west-2",
        "region: us-west-1",
        "another target: 123456789012 us-west-1",
    ),
    (
        "role/restore",
        "role/other",
        "`files`: the role of the restore differs",
    ),
    (
        "    timeout: 2h\n",
        "    timeout: 2h\n    needs: [files]\n",
        "`table`: it needs files, and needed nothing",
    ),
    (
        "plan: shop",
        "plan: store",
        "the plan is `store`, and the kit is of `shop`",
    ),
    ("concurrent: 10", "concurrent: 9", "changed: restore.sh"),
    (
        "limits:",
        "on_failure: stop\nlimits:",
        "changed: restore.sh",
    ),
    ("The shop.", "The other shop.", "changed: RUNBOOK.md"),
    (
        "[./mount.sh",
        "[./other.sh",
        "`files`: its checks to run by hand differ",
    ),
    ("[./dns.sh]", "[./dns.sh, now]", "changed: RUNBOOK.md"),
    (
        "group: { default: blue }",
        "group: { default: green }",
        "`files`: `CreationToken` differs",
    ),
];

#[test]
fn thirty_drifts_are_found() {
    let folder = folder();
    let kit = exported(folder.path(), PLAN, &[]);
    assert_eq!(check(folder.path(), &[]), (Some(0), String::new()));
    let mut found = 0;
    for (from, to, says) in CHANGES {
        let changed = PLAN.replace(from, to).replace(
            "us-west-1:123456789012:recovery",
            "us-west-2:123456789012:recovery",
        );
        let changed = match to.contains("us-west-1") {
            true => changed.replace("us-west-2", "us-west-1"),
            false => changed,
        };
        assert_ne!(changed, PLAN, "{from}");
        write(folder.path(), "plan.yaml", &changed);
        let (code, text) = check(folder.path(), &[]);
        assert_eq!(code, Some(2), "{to}: {text}");
        assert!(text.contains(says), "{to}: {text}");
        found += 1;
    }
    write(folder.path(), "plan.yaml", PLAN);
    for (more, says) in [
        (
            &["--run-id", "2026-Q4"][..],
            "the run is `2026-Q4`, and the kit is of `main`",
        ),
        (&["--var", "group=red"], "`files`: `CreationToken` differs"),
    ] {
        let (code, text) = check(folder.path(), more);
        assert!(code == Some(2) && text.contains(says), "{more:?}: {text}");
        found += 1;
    }
    for (path, says) in [
        ("restore.sh", "edited since it was exported: restore.sh"),
        ("RUNBOOK.md", "edited since it was exported: RUNBOOK.md"),
        (
            "requests/table.json",
            "edited since it was exported: requests/table.json",
        ),
        ("kit.json", "edited since it was exported: kit.json"),
    ] {
        let path = kit.join(path);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b" "].concat()).unwrap();
        let (code, text) = check(folder.path(), &[]);
        assert!(code == Some(2) && text.contains(says), "{says}: {text}");
        std::fs::remove_file(&path).unwrap();
        let (code, text) = check(folder.path(), &[]);
        assert!(
            code == Some(2) && text.contains("missing: "),
            "{says}: {text}"
        );
        std::fs::write(&path, whole).unwrap();
        found += 2;
    }
    assert!(found >= 30, "{found}");
    assert_eq!(check(folder.path(), &[]), (Some(0), String::new()));
}

#[test]
fn what_means_the_same_is_no_drift() {
    let folder = folder();
    exported(folder.path(), PLAN, &[]);
    for same in [
        PLAN.replace("plan: shop\n", "# A comment.\n\nplan:   shop   # another\n"),
        PLAN.replace("Encrypted: true", "Encrypted: \"true\""),
        PLAN.replace("needs: [files]", "needs:\n      - files"),
    ] {
        assert_ne!(same, PLAN);
        write(folder.path(), "plan.yaml", &same);
        assert_eq!(
            check(folder.path(), &[]),
            (Some(0), String::new()),
            "{same}"
        );
    }
    // Files of the script are none of the export's.
    std::fs::create_dir(folder.path().join("kit/state")).unwrap();
    write(&folder.path().join("kit/state"), "kit", "shop\n");
    assert_eq!(check(folder.path(), &[]).0, Some(0));
    let output = export(folder.path(), &["--check", "nowhere"]);
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
}

/// A request that somebody has added to cannot be read, which says nothing of its role.
#[test]
fn a_request_that_cannot_be_read_is_called_edited() {
    let folder = folder();
    let kit = exported(folder.path(), PLAN, &[]);
    let request = kit.join("requests/table.json");
    let text = std::fs::read_to_string(&request).unwrap();
    std::fs::write(&request, format!("{text}x")).unwrap();
    let (code, said) = check(folder.path(), &[]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(
        said,
        "changed, and edited since it was exported: requests/table.json\n"
    );
}
