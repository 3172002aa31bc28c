//! Every word of the documents, of strings and of comments is one that a dictionary or `cspell.json` has.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A spelling checker that also editors have.
const PACKAGE: &str = "cspell@9.8.0";
const PROGRAM: &str = "cspell/bin.mjs";

/// What the checker says of the files that `cspell.json` names, or of a text.
fn unknown(program: &Path, text: Option<&str>) -> String {
    let mut command = Command::new("node")
        .arg(program)
        .args(["lint", "--no-progress", "--no-summary", "--no-color"])
        .args(text.map(|_| "stdin://text.md"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = command.stdin.take().unwrap();
    stdin
        .write_all(text.unwrap_or_default().as_bytes())
        .unwrap();
    drop(stdin);
    let output = command.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() < Some(2), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn words_are_spelt_as_in_a_dictionary() {
    let program = match crate::npm::installed(PACKAGE, PROGRAM) {
        Ok(program) => program,
        Err(why) => return crate::npm::skip("no spelling checker", &why),
    };
    let found = unknown(&program, None);
    assert!(
        found.is_empty(),
        "correct these, or add what is right to cspell.json:\n{found}"
    );
    // It would find something.
    let found = unknown(&program, Some("Nothing is restored twize.\n"));
    assert!(found.contains("twize"), "{found}");
}
