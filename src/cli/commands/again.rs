//! How to go on.

use super::Context;
use crate::render::Secrets;

/// The command as it was typed, for the line that says how to go on.
pub(super) fn again(context: &Context<'_>, secrets: &Secrets) -> String {
    let words: Vec<String> = std::iter::once(context.environment.program.clone())
        .chain(context.environment.typed())
        .filter(|word| {
            let word = word.split('=').next().unwrap_or(word);
            !["--retry-failed", "--adopt", "--start-anyway", "--take-over"].contains(&word)
        })
        .map(|word| secrets.redact(&word).into_owned())
        .map(|word| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        })
        .collect();
    words.join(" ")
}
