//! Every plan to copy from is valid, and is rehearsed.

use std::process::Command;

use redrill::diagnostic::{Severity, human};

use super::{check, errors, files};

#[test]
fn every_plan_is_valid_and_nothing_is_said_against_it() {
    for path in files("plans", "yaml") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let findings = check(&name, &std::fs::read_to_string(&path).unwrap());
        assert!(errors(&findings).is_empty(), "{}", human(&findings, false));
        let warned = findings.iter().any(|f| f.severity == Severity::Warning);
        assert!(!warned, "{}", human(&findings, false));
    }
}

#[test]
fn every_plan_comes_through_a_rehearsal() {
    let plans = files("plans", "yaml");
    let rehearsals = plans.iter().map(|path| {
        // A plan that chooses its recovery points has an inventory of the same name to choose from.
        let inventory = super::root()
            .join("inventories")
            .join(path.file_name().unwrap());
        let options = match inventory.exists() {
            true => vec!["--inventory".into(), inventory.into_os_string()],
            false => Vec::new(),
        };
        let child = Command::new(env!("CARGO_BIN_EXE_redrill"))
            .args(["rehearse", "--progress", "none", "--color", "never"])
            .arg(path)
            .args(options)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        (path, child)
    });
    for (path, output) in rehearsals {
        assert!(
            output.status.success(),
            "{}: {}\n{}{}",
            path.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
