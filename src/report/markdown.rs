//! Text from outside in Markdown: it starts no tag, mention, link, emphasis, cell or row of its own, and ends no code.

use std::fmt::Write as _;

use crate::diagnostic::{visible, visible_lines};

/// Text on one line, also in a cell of a table.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' | '@' | '!' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Text as code on one line, whatever is in it.
pub(crate) fn code(text: &str) -> String {
    let text = visible(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// The same in a cell of a table, which a bar ends even within code.
pub(crate) fn code_in_cell(text: &str) -> String {
    let text = visible(text);
    if text.contains(['`', '|']) {
        escaped(&text)
    } else {
        format!("`{text}`")
    }
}

/// Lines as a block of code in a language, which nothing inside ends.
pub(crate) fn block(language: &str, lines: &str) -> String {
    let lines = visible_lines(lines);
    let fence = "`".repeat(longest_run(&lines).max(2) + 1);
    format!("{fence}{language}\n{lines}\n{fence}\n")
}

/// Text between HTML tags in Markdown, as in a summary.
pub(super) fn html(text: &str) -> String {
    let mut safe = String::new();
    for c in visible(text).chars() {
        match c {
            '<' | '>' | '&' | '@' | '*' | '[' | ']' | '\\' | '#' | '~' | '|' | '"' | '\'' => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            // Of a fate; the summary is HTML, where a code mark is none.
            '`' => {}
            c => safe.push(c),
        }
    }
    safe
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
