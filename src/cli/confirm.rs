//! The question before the first request.

use std::io::{BufRead, Write};

use super::exit::Failure;
use super::output::{Output, stderr_width};
use crate::diagnostic::{fold, visible_lines};

/// Refuses where nobody is there to ask.
pub(super) fn can_ask() -> Result<(), Failure> {
    if Output::is_interactive() {
        return Ok(());
    }
    Err(Failure::Usage(
        "nothing was sent: not a terminal, cannot ask; look at the dry run, then start with --yes"
            .to_owned(),
    ))
}

/// Asks; only `yes` is a yes.
pub(super) fn confirm(question: &str) -> Result<bool, Failure> {
    typed(question, "yes", "start")
}

/// Asks for a word to be typed out.
pub(super) fn typed(question: &str, word: &str, purpose: &str) -> Result<bool, Failure> {
    let fail = |source| Failure::Io {
        path: "the terminal".into(),
        source,
    };
    let mut stderr = std::io::stderr().lock();
    let question = visible_lines(question);
    let question = fold(&question, stderr_width(), 2);
    write!(stderr, "{question}\nType {word} to {purpose}: ").map_err(fail)?;
    stderr.flush().map_err(fail)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(fail)?;
    Ok(line.trim() == word)
}
