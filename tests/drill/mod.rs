//! The drill: checks, objectives, reports, what is protected, cleanup and evidence.

mod changed_checks;
mod checks;
mod cleanup;
mod cleanup_beside;
mod cleanup_faults;
mod clocks;
mod evidence;
mod first_contact;
mod first_restore;
mod ours;
mod page;
mod programs;
mod protect;
mod reports;
mod signals;
pub(crate) mod signatures;
mod walls;
mod whole;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::dry_run::outputs::assert_valid;
use crate::support::{redrill, write};

/// A plan of file systems, each with what stands in `more`, by its number.
pub(crate) fn plan(count: usize, head: &str, more: impl Fn(usize) -> String) -> String {
    let mut plan = format!(
        "plan: drill\n{head}target:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n"
    );
    for at in 0..count {
        let _ = write!(
            plan,
            "  r{at}:\n    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-{at:012}\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: \"{{{{ restore }}}}-{{{{ run.id }}}}\"\n{}",
            more(at)
        );
    }
    plan
}

/// A check of one restore, as YAML.
pub(crate) fn check(name: &str, script: &str, more: &str) -> String {
    format!("    checks:\n      - {{ name: {name}, run: [sh, -c, {script:?}]{more} }}\n")
}

/// Runs a command and gives its exit code, standard output and standard error.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = redrill(folder).args(arguments).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Rehearses a plan and gives the exit code and the JSON report.
pub(crate) fn rehearse(folder: &Path, plan: &str, more: &[&str]) -> (i32, Value) {
    write(folder, "plan.yaml", plan);
    let mut arguments = vec!["rehearse", "plan.yaml", "-q", "--format", "json"];
    arguments.extend(more);
    let (code, stdout, stderr) = run(folder, &arguments);
    let report =
        serde_json::from_str(&stdout).unwrap_or_else(|err| panic!("{err}: {stdout}{stderr}"));
    assert_valid("run", &report);
    (code, report)
}
