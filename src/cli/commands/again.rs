//! How to go on.

use super::Context;
use crate::render::Secrets;

/// The command as it was typed, for the line that says how to go on.
pub(super) fn again(context: &Context<'_>, secrets: &Secrets) -> String {
    let typed = context.environment.typed();
    let words = std::iter::once(context.environment.program.clone()).chain(typed);
    pasted(words, secrets)
}

/// The same for another run: without its id, which is to follow.
pub(super) fn anew(context: &Context<'_>, secrets: &Secrets) -> String {
    const RUN_ID: &str = "--run-id";
    let mut words = vec![context.environment.program.clone()];
    let mut typed = context.environment.typed().into_iter();
    while let Some(word) = typed.next() {
        if word == RUN_ID {
            typed.next();
        } else if !word.starts_with("--run-id=") {
            words.push(word);
        }
    }
    pasted(words, secrets)
}

fn pasted(words: impl IntoIterator<Item = String>, secrets: &Secrets) -> String {
    let words: Vec<String> = words
        .into_iter()
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
