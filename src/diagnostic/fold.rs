//! Lines that are too long for a terminal, broken between words.

use std::borrow::Cow;

use textwrap::core::{Word, display_width};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Breaks lines that are wider than `width` between words; what follows is under the second column, or is indented by `hang`
/// more than the line. A command
/// stays in one piece, so that it can be pasted; so do frames with a line of source.
#[must_use]
pub fn fold(text: &str, width: usize, hang: usize) -> Cow<'_, str> {
    if width == 0 || text.lines().all(|line| display_width(line) <= width) {
        return Cow::Borrowed(text);
    }
    let mut folded = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        let shown = anstream::adapter::strip_str(line).to_string();
        if display_width(line) <= width || is_frame(&shown) {
            folded.push_str(line);
        } else {
            let indent = " ".repeat(hanging(&shown, hang).min(width / 2));
            folded.push_str(&textwrap::fill(line, options(width, &indent)));
        }
        folded.push_str(end);
    }
    Cow::Owned(folded)
}

/// Returns the column for the rest of a line: under its second column, if it has columns.
fn hanging(line: &str, hang: usize) -> usize {
    /// A first column is no wider than this: a status, an action or a time.
    const FIRST: usize = 20;
    let own = line.len() - line.trim_start_matches(' ').len();
    let first = line[own..]
        .split_once("  ")
        .filter(|(first, _)| first.len() <= FIRST);
    match first {
        Some((first, rest)) => {
            let gap = 2 + rest.len() - rest.trim_start_matches(' ').len();
            own + display_width(first) + gap
        }
        None => own + hang,
    }
}

fn options(width: usize, indent: &str) -> Options<'_> {
    Options::new(width)
        .subsequent_indent(indent)
        .word_separator(WordSeparator::Custom(words))
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .break_words(false)
}

/// A line of a plan with its number, and what points into it.
fn is_frame(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
    ["|", "-->", ":::", "..."]
        .iter()
        .any(|of| rest.starts_with(of))
}

/// Words between blanks; a command is one.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = match command(rest) {
            Some(end) => end,
            None => rest.find(' ').unwrap_or(rest.len()),
        };
        let blanks = rest[end..].len() - rest[end..].trim_start_matches(' ').len();
        let (word, behind) = rest.split_at(end + blanks);
        words.push(Word::from(word));
        rest = behind;
    }
    Box::new(words.into_iter())
}

/// Finds the end of a command that the text begins with: at its closing quote, or with the line.
fn command(text: &str) -> Option<usize> {
    let quoted = text.strip_prefix('`').or_else(|| text.strip_prefix("(`"));
    let of = quoted.unwrap_or(text);
    let is_one = ["redrill ", "aws "].iter().any(|name| of.starts_with(name));
    if !is_one {
        return None;
    }
    let begins = text.len() - of.len();
    match quoted {
        Some(of) => {
            let behind = of.find('`').map_or(of.len(), |at| at + 1);
            let end = of[behind.min(of.len())..].find(' ');
            Some(begins + end.map_or(of.len(), |end| behind + end))
        }
        None => Some(text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_hang() {
        let text = "  files  EFS  recovery-point:1EB3B5E7-9EB0-435A\nshort\n";
        let folded = "  files  EFS\n         recovery-point:1EB3B5E7-9EB0-435A\nshort\n";
        assert_eq!(fold(text, 40, 2), folded);
        assert!(matches!(fold(text, 80, 2), Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_longer_than_a_line_has_its_own() {
        let text = "made arn:aws:dynamodb:us-west-2:123456789012:table/orders now";
        let folded = "made\n  arn:aws:dynamodb:us-west-2:123456789012:table/orders\n  now";
        assert_eq!(fold(text, 30, 2), folded);
    }

    #[test]
    fn commands_stay_in_one_piece() {
        let text = "continue with: redrill run plans/shop.yaml --run-id 2026-Q4 --state /mnt";
        let folded = "continue with:\n  redrill run plans/shop.yaml --run-id 2026-Q4 --state /mnt";
        assert_eq!(fold(text, 40, 2), folded);
        let text = "help: `redrill run plans/shop.yaml --only x`, then look at what was started";
        let folded =
            "help:\n  `redrill run plans/shop.yaml --only x`,\n  then look at what was started";
        assert_eq!(fold(text, 42, 2), folded);
    }

    #[test]
    fn colours_count_for_nothing_and_frames_are_left_alone() {
        let text = "\x1b[1merror\x1b[0m: one two three";
        assert_eq!(fold(text, 18, 2), "\x1b[1merror\x1b[0m: one two\n  three");
        let frame = "\x1b[94m12 |\x1b[0m       vault: \"{{ vars.vault }}\"";
        assert_eq!(fold(frame, 10, 2), frame);
    }
}
