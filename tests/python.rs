//! Python tools of pinned versions, for tests that drive the emulator with other people's clients.

use std::fs::{self, File};
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The AWS CLI of 2026 that is made for this botocore.
pub(crate) const AWS_TOOLS: &[&str] = &["botocore==1.44.8", "boto3==1.44.8", "awscli==1.46.3"];

/// A virtual environment with these packages (`botocore==1.44.8`), made once and kept in `target/`; its programs are in
/// `bin/`. Nextest runs tests in processes at the same time: one of them makes it, under a file lock, and a marker that
/// is renamed into place says that it is whole.
///
/// None where python3 or pip cannot make it, which is said loudly; with `CI=true` that is a failure.
pub(crate) fn venv(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let mut hasher = std::hash::DefaultHasher::new();
    packages.hash(&mut hasher);
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let home = base.join(format!("{name}-{:016x}", hasher.finish()));
    match make(&base, &home, packages) {
        Ok(()) => Some(home),
        Err(why) => {
            skip(name, &why);
            None
        }
    }
}

fn make(base: &Path, home: &Path, packages: &[&str]) -> Result<(), String> {
    let io = |error: std::io::Error| error.to_string();
    fs::create_dir_all(base).map_err(io)?;
    let lock = File::create(home.with_extension("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    let whole = home.with_extension("whole");
    if whole.exists() {
        return Ok(());
    }
    // What a killed process left behind.
    if home.exists() {
        fs::remove_dir_all(home).map_err(io)?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(home))?;
    run(Command::new(home.join("bin/python"))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(packages))?;
    let marker = home.with_extension("making");
    File::create(&marker).map_err(io)?;
    fs::rename(marker, whole).map_err(io)
    // The lock ends with its file.
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test has to be seen")]
#[expect(clippy::disallowed_methods, reason = "CI says so in its environment")]
pub(crate) fn skip(name: &str, why: &str) {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI needs python3 with venv and pip, and PyPI, for {name}: {why}"
    );
    eprintln!("\nSKIPPED, NOT TESTED: {name} needs python3 with venv and pip, and PyPI: {why}\n");
}
