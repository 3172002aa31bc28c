//! Texts and places in them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A text that was read, under the name it was read by.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as it was typed.
    pub name: String,
    /// All of it.
    pub text: String,
    /// What is never shown of it, once that is known.
    hidden: OnceLock<Vec<Span>>,
}

impl Source {
    /// A source to share among findings.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            hidden: OnceLock::new(),
        })
    }

    /// Hides these parts from whoever shows a line of it; the first call counts.
    pub fn hide(&self, parts: Vec<Span>) {
        let _ = self.hidden.set(parts);
    }

    /// The parts that are not shown.
    #[must_use]
    pub fn hidden(&self) -> &[Span] {
        self.hidden.get().map_or(&[], Vec::as_slice)
    }

    /// The byte offset of a place; the end of its line, or of the text, where it lies beyond.
    #[must_use]
    pub fn offset(&self, position: Position) -> usize {
        let line_start = match position.line {
            0 | 1 => 0,
            line => self
                .text
                .bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .nth(line as usize - 2)
                .map_or(self.text.len(), |(at, _)| at + 1),
        };
        let line = self.text[line_start..].split('\n').next().unwrap_or("");
        let in_line = line
            .char_indices()
            .nth((position.column.max(1) - 1) as usize)
            .map_or(line.len(), |(at, _)| at);
        line_start + in_line
    }

    /// The bytes of a span.
    #[must_use]
    pub fn range(&self, span: Span) -> Range<usize> {
        let start = self.offset(span.start);
        start..self.offset(span.end).max(start)
    }

    /// The text of a span.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        &self.text[self.range(span)]
    }
}

/// A place: line and column as an editor counts them, both from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// From a place up to, and without, another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first character.
    pub start: Position,
    /// The one behind the last.
    pub end: Position,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}
