//! npm tools of pinned versions, for tests that hold our output against other people's programs.

use std::path::PathBuf;
use std::process::Command;

/// The directory where cargo builds this; one that is not in the repository's history.
fn target() -> PathBuf {
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_redrill"));
    exe.ancestors().nth(2).unwrap().to_owned()
}

/// A file of a package (`html-validate@8.29.0`), installed if it is not there yet.
pub(crate) fn installed(package: &str, file: &str) -> Result<PathBuf, String> {
    let directory = target().join(package.replace(['@', '/'], "-"));
    let program = directory.join("node_modules").join(file);
    if program.exists() {
        return Ok(program);
    }
    std::fs::create_dir_all(&directory).map_err(|err| err.to_string())?;
    let output = Command::new("npm")
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(&directory)
        .arg(package)
        .output()
        .map_err(|err| format!("npm: {err}"))?;
    if output.status.success() && program.exists() {
        Ok(program)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Says loudly that a test could not run; with `CI=true` that is a failure.
#[expect(clippy::print_stderr, reason = "a skipped test has to be seen")]
pub(crate) fn skip(what: &str, why: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI needs npm for {what}: {why}"
    );
    eprintln!("\nSKIPPED, NOT TESTED: {what}: {why}\n");
}
