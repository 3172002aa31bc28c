//! What lies next to plans: folders, lock files, variables, inventories, and files that are not there.

use std::path::Path;

use crate::support::{folder, redrill, repository_file, write};

const LOCK: &str = "version: 1\nplan: quickstart\nrestores: {}\n";

/// A folder of everything that lies next to plans.
fn shelf() -> tempfile::TempDir {
    let folder = folder();
    let path = folder.path();
    std::fs::create_dir_all(path.join("plans/deeper")).unwrap();
    std::fs::create_dir_all(path.join("plans/.hidden")).unwrap();
    let plan = repository_file("plans/quickstart.yaml");
    write(path, "plans/quickstart.yaml", &plan);
    write(
        path,
        "plans/deeper/other.yml",
        &plan.replace("plan: quickstart", "plan: other"),
    );
    write(path, "plans/.hidden/broken.yaml", "plan: [\n");
    write(path, "plans/other.lock.yaml", LOCK);
    write(
        path,
        "plans/drill.vars.yaml",
        "subnet: subnet-1\npassword: hunter22hunter22\n",
    );
    write(
        path,
        "plans/world.yaml",
        &repository_file("inventories/mixed.yaml"),
    );
    write(path, "plans/workflow.yaml", "on-push: x\n");
    write(path, "plans/notes.txt", "plan: [\n");
    folder
}

fn validate(path: &Path, given: &[&str]) -> (Option<i32>, String, String) {
    let output = redrill(path).arg("validate").args(given).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn first_contact_b1_validate_takes_the_plans_of_a_folder() {
    let folder = shelf();
    let (code, out, err) = validate(folder.path(), &["plans"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let verdicts: Vec<&str> = out
        .lines()
        .filter(|line| line.contains(": valid;"))
        .collect();
    let names: Vec<&str> = verdicts
        .iter()
        .filter_map(|line| Some(line.split_once(": ")?.0))
        .collect();
    assert_eq!(names, ["plans/deeper/other.yml", "plans/quickstart.yaml"]);
    assert_eq!(
        err,
        "note: skipped, not plans: 1 lock file, 1 variables file, 1 inventory, 1 other YAML file\n"
    );
    // A plan with a mistake in it is a plan all the same.
    write(
        folder.path(),
        "plans/mistake.yaml",
        "plan: a\nrestore: {}\n",
    );
    write(
        folder.path(),
        "plans/broken.yaml",
        "plan: a\nrestores: { a: [\n",
    );
    let (code, out, _) = validate(folder.path(), &["plans"]);
    assert_eq!(code, Some(4), "{out}");
    assert!(
        out.contains("plans/mistake.yaml: invalid;") && out.contains("plans/broken.yaml: invalid;"),
        "{out}"
    );
    let empty = folder.path().join("empty");
    std::fs::create_dir(empty).unwrap();
    let (code, _, err) = validate(folder.path(), &["empty"]);
    assert_eq!(
        (code, err.contains("empty has no YAML file")),
        (Some(64), true),
        "{err}"
    );
}

#[test]
fn first_contact_b1_a_pattern_that_names_lock_files_checks_the_plans() {
    let folder = shelf();
    let given = ["plans/quickstart.yaml", "plans/other.lock.yaml"];
    let (code, out, err) = validate(folder.path(), &given);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(err.contains("skipped, not plans: 1 lock file"), "{err}");
    assert!(!out.contains("other.lock.yaml"), "{out}");
}

#[test]
fn first_contact_b1_another_file_is_one_finding_and_shows_no_value() {
    let folder = shelf();
    for (file, says, instead) in [
        (
            "plans/drill.vars.yaml",
            "this looks like a variables file",
            "--var-file plans/drill.vars.yaml",
        ),
        (
            "plans/world.yaml",
            "this is an inventory",
            "--inventory plans/world.yaml",
        ),
        ("plans/workflow.yaml", "this is not a plan", "redrill init"),
    ] {
        let (code, out, _) = validate(folder.path(), &[file]);
        assert_eq!(code, Some(4), "{out}");
        assert!(out.contains(says) && out.contains(instead), "{out}");
        assert!(
            out.contains(": invalid; 0 restores, 1 error, 0 warnings"),
            "{out}"
        );
        assert!(
            !out.contains("hunter22") && !out.contains("subnet-1"),
            "{out}"
        );
    }
    let lock = redrill(folder.path())
        .args(["plan", "plans/other.lock.yaml"])
        .output()
        .unwrap();
    let err = String::from_utf8(lock.stderr).unwrap();
    assert!(
        err.contains("error[plan/not-a-plan]: this is a lock file, not a plan"),
        "{err}"
    );
    assert_eq!(err.matches("error[").count(), 1, "{err}");
}

#[test]
fn first_contact_c16_a_file_that_is_not_there_keeps_nobody_from_checking_the_rest() {
    let folder = shelf();
    let path = folder.path();
    let given = [
        "plans/quickstart.yaml",
        "missing.yaml",
        "plans/deeper/other.yml",
    ];
    let (code, out, err) = validate(path, &given);
    assert_eq!(code, Some(1), "{out}{err}");
    assert_eq!(out.matches(": valid;").count(), 2, "{out}");
    assert!(err.contains("error: missing.yaml: No such file"), "{err}");
    write(path, "bad.yaml", "plan: a\n");
    let (code, out, err) = validate(path, &["missing.yaml", "bad.yaml"]);
    assert_eq!(code, Some(4), "{out}{err}");
    assert!(err.contains("error: missing.yaml"), "{err}");
}

#[test]
fn first_contact_c10_types_without_recovery_points_are_one_line() {
    let folder = shelf();
    let (_, out, _) = validate(folder.path(), &["plans/quickstart.yaml"]);
    assert!(out.lines().count() <= 3, "{out}");
}

/// The first plan in a document.
fn plan_in(document: &str) -> String {
    let text = repository_file(document);
    let blocks = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|part| Some(part.split_once("```")?.0));
    blocks
        .map(str::to_owned)
        .find(|block| block.starts_with("plan: "))
        .unwrap()
}

#[test]
fn first_contact_b10_the_plans_in_the_documents_are_valid() {
    for document in ["README.md", "docs/plan.md"] {
        let (found, failed) = crate::cases::check(document, &plan_in(document));
        assert!(!failed && !found.contains("warning"), "{found}");
    }
    let folder = folder();
    write(folder.path(), "orders.yaml", &plan_in("README.md"));
    redrill(folder.path())
        .args(["rehearse", "orders.yaml"])
        .assert()
        .success();
}

#[test]
fn first_contact_c15_a_report_goes_to_standard_output_and_md_is_markdown() {
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let output = redrill(folder.path())
        .args([
            "rehearse",
            "plan.yaml",
            "--report",
            "html=-",
            "--report",
            "md=report.md",
        ])
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.to_lowercase().starts_with("<!doctype html>"), "{out}");
    assert!(!folder.path().join("-").exists());
    let report = std::fs::read_to_string(folder.path().join("report.md")).unwrap();
    assert!(report.contains("quickstart run main: passed"), "{report}");
}

#[test]
fn first_contact_b7_hints_say_what_was_meant() {
    let plan = |metadata: &str| {
        format!(
            "plan: orders\ntarget: {{ region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }}\nrestores:\n  a:\n{metadata}"
        )
    };
    let efs = plan(
        "    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45\n    metadata: { newFileSystem: no, file-system-id: fs-0a1b2c3d, Encrypted: on }\n",
    );
    let (found, _) = crate::cases::check("plan.yaml", &efs);
    assert!(
        found.contains("`newFileSystem: false`") && found.contains("`Encrypted: true`"),
        "{found}"
    );
    let empty = crate::cases::check("plan.yaml", "").0;
    assert!(empty.contains("redrill init"), "{empty}");
    let stack = repository_file("plans/cloudformation.yaml");
    let folder = folder();
    write(folder.path(), "plan.yaml", &stack);
    let (_, found, _) = validate(folder.path(), &["plan.yaml", "--run-id", "2026_Q4"]);
    assert!(
        !found.contains("write it as in `ChangeSetName: \"restore-{{ run.id }}\"`"),
        "{found}"
    );
    assert!(found.contains("choose a --run-id"), "{found}");
}

/// B7: a limit of a type that no restore has is not taken for another type.
#[test]
fn first_contact_b7_a_limit_of_an_unused_type_means_that_type() {
    let plan = repository_file("plans/quickstart.yaml");
    let limited = |of: &str| {
        plan.replace(
            "restores:\n",
            &format!("limits: {{ by_type: {{ {of}: 1 }} }}\n\nrestores:\n"),
        )
    };
    let (found, _) = crate::cases::check("plan.yaml", &limited("EKS"));
    assert!(
        found.contains("remove it, or add a restore of type `EKS`"),
        "{found}"
    );
    let (found, _) = crate::cases::check("plan.yaml", &limited("EFSS"));
    assert!(found.contains("did you mean `EFS`?"), "{found}");
}
