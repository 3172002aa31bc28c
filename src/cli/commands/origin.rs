//! Who runs a plan, where, and which version of it: what a report says of its origin.

use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::Context;
use crate::diagnostic::Source;
use crate::execute::Origin;

/// The origin of a run of the plan in `file`.
pub(super) fn origin(
    file: &Path,
    source: &Source,
    rehearsal: bool,
    context: &Context<'_>,
) -> Origin {
    Origin {
        plan_sha256: sha256(source.text.as_bytes()),
        commit: commit(file),
        user: context.environment.user.clone(),
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        rehearsal,
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The commit that is checked out where the plan lies; none where git or a repository is missing.
fn commit(file: &Path) -> Option<String> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = file.file_name()?;
    let git = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(directory)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let head = git(&["rev-parse".as_ref(), "--verify".as_ref(), "HEAD".as_ref()])?;
    let changes = git(&[
        "status".as_ref(),
        "--porcelain".as_ref(),
        "--".as_ref(),
        name,
    ])?;
    Some(if changes.is_empty() {
        head
    } else {
        format!("{head}-dirty")
    })
}
