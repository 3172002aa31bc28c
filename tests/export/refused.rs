//! What a kit cannot carry is said at export, all at once.

use super::{export, said};
use crate::support::{folder, write};

const HEAD: &str = "plan: p\nvars: { pin: { secret: true }, number: { secret: true, type: number }, place: { secret: true } }\nx-used: \"{{ vars.place }}\"\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n  first:\n    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:first\n    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: first }\n";

fn restore(name: &str, point: &str, token: &str) -> String {
    format!(
        "  {name}:\n    type: EFS\n    needs: [first]\n    recovery_point: {point}\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: {token}\n"
    )
}

#[test]
fn everything_that_cannot_go_is_said_at_once() {
    let folder = folder();
    let point = "arn:aws:backup:us-west-2:123456789012:recovery-point:p";
    let plan = [
        HEAD.to_owned(),
        restore("computed", point, "\"{{ restores.first.created.resource_arn | upper }}\""),
        restore("secret", point, "\"{{ vars.pin | length }}\""),
        restore("numeric", point, "\"{{ vars.number }}\""),
        restore("signs", point, "\"@@{{ restores.first.created.job_id }}\""),
        restore(
            "point",
            "\"arn:aws:backup:us-west-2:123456789012:recovery-point:{{ vars.place }}\"",
            "point",
        ),
        "  into:\n    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:into\n    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: false }\n".to_owned(),
    ]
    .concat();
    write(folder.path(), "plan.yaml", &plan);
    let output = export(
        folder.path(),
        &[
            "-o",
            "kit",
            "--var",
            "pin=canary-canary",
            "--var",
            "place=canary",
        ],
    );
    let text = said(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    for (rule, restore) in [
        ("kit/expression", "computed"),
        ("kit/expression", "secret"),
        ("kit/secret", "numeric"),
        ("kit/expression", "signs"),
        ("kit/secret", "point"),
        ("kit/into-existing", "into"),
    ] {
        assert!(text.contains(rule), "{rule} of {restore}: {text}");
    }
    let line = plan
        .lines()
        .position(|line| line.contains("| upper"))
        .unwrap()
        + 1;
    assert!(text.contains(&format!("plan.yaml:{line}")), "{text}");
    assert!(!text.contains("canary"), "{text}");
    assert!(!folder.path().join("kit").exists());
}

#[test]
fn a_target_that_is_made_of_a_secret_is_refused() {
    let folder = folder();
    let plan = "plan: p\nvars: { role: { secret: true } }\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: \"arn:aws:iam::123456789012:role/{{ vars.role }}\"\nprotect: [\"{{ vars.role }}\"]\nrestores:\n  first:\n    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:first\n    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: first }\n";
    write(folder.path(), "plan.yaml", plan);
    let output = export(folder.path(), &["-o", "kit"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(said(&output).contains("kit/secret"), "{}", said(&output));
}
