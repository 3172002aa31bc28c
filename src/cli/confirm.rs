//! The question before the first request.

use std::io::{BufRead, Write};

use super::exit::Failure;
use super::output::Output;

/// Asks; only `yes` is a yes. Refused where nobody is there to ask.
pub(super) fn confirm(question: &str) -> Result<bool, Failure> {
    if !Output::is_interactive() {
        return Err(Failure::Usage(format!(
            "{question}\nthere is no terminal to ask on: give --yes to start"
        )));
    }
    let fail = |source| Failure::Io {
        path: "the terminal".into(),
        source,
    };
    let mut stderr = std::io::stderr().lock();
    write!(stderr, "{question}\nType yes to start: ").map_err(fail)?;
    stderr.flush().map_err(fail)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(fail)?;
    Ok(line.trim() == "yes")
}
