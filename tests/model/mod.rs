//! AWS's models move on: nothing has changed in them, between the one that all was once read from and the one that the
//! emulator is held against, that nobody has answered for.

use std::path::Path;
use std::process::{Command, Output};

use crate::python::AWS_TOOLS;

/// The model of May 2026.
const OLD: &str = "1.43.11";

/// What `drift.py` prints; none where Python cannot be set up.
fn drift(arguments: &[&str]) -> Option<Output> {
    let venv = crate::python::venv("model", &["tomli==2.2.1"])?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let new = AWS_TOOLS[0].strip_prefix("botocore==").unwrap();
    let models = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models");
    let output = Command::new(venv.join("bin/python"))
        .arg(root.join("tests/model/drift.py"))
        .args([OLD, new, "--cache"])
        .arg(models)
        .args(arguments)
        .output();
    Some(output.unwrap())
}

#[test]
fn whatever_has_changed_in_awss_models_is_answered_for() {
    let Some(output) = drift(&[]) else { return };
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && printed.is_empty(),
        "answer for these in a schema, the emulator or tests/model/looked-at.toml:\n{printed}{errors}"
    );
    // Without the list, what has no home elsewhere shows.
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let list = ["--looked-at", nothing.path().to_str().unwrap()];
    let output = drift(&list).unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for row in [
        "backup\t+ BackupVaultEvent=EKS_RESTORE_MODIFICATION_FAILED\ta value\n",
        "backup\t~ ListScanJobSummaries@",
        "ec2\t+ MarketType=on-demand\ta value\n",
        "services\t+ iam-toolbox\n",
    ] {
        assert!(printed.contains(row), "{row:?} is missing:\n{printed}");
    }
}
