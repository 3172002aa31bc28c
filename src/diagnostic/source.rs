//! Texts and places in them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A text that was read, under the name it was read by.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as it was typed.
    pub name: String,
    /// All of it, without a byte order mark.
    pub text: String,
    /// Spans that are never shown, once they are known.
    hidden: OnceLock<Vec<Span>>,
    /// The byte at which each line starts; breaks are YAML's: LF, CR LF, or CR alone.
    lines: Vec<usize>,
    /// True if a column is a byte, as in most plans.
    ascii: bool,
}

impl Source {
    /// A source to share among findings.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let mut text = text.into();
        // An editor shows no byte order mark, and neither YAML nor anybody who counts columns does.
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let bytes = text.as_bytes();
        let breaks = bytes.iter().enumerate().filter(|(at, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let mut lines: Vec<usize> = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        lines.shrink_to_fit();
        Arc::new(Self {
            name: name.into(),
            ascii: text.is_ascii(),
            lines,
            text,
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

    /// A line without its break; empty beyond the last.
    #[must_use]
    pub fn line(&self, line: u32) -> &str {
        &self.text[self.line_range(line)]
    }

    fn line_range(&self, line: u32) -> Range<usize> {
        let at = line.max(1) as usize - 1;
        let Some(start) = self.lines.get(at).copied() else {
            return self.text.len()..self.text.len();
        };
        let end = self.lines.get(at + 1).copied().unwrap_or(self.text.len());
        start..start + self.text[start..end].trim_end_matches(['\r', '\n']).len()
    }

    /// The byte offset of a place; the end of its line, or of the text, where it lies beyond.
    #[must_use]
    pub fn offset(&self, position: Position) -> usize {
        let line = self.line_range(position.line);
        let column = position.column.max(1) as usize - 1;
        let in_line = if self.ascii {
            column.min(line.len())
        } else {
            let text = &self.text[line.clone()];
            text.char_indices()
                .nth(column)
                .map_or(text.len(), |(at, _)| at)
        };
        line.start + in_line
    }

    /// The place of a byte; within a character, that of the character.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or_default();
        let column = match self.text.get(start..offset) {
            Some(before) if !self.ascii => before.chars().count(),
            _ => offset.saturating_sub(start),
        };
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: count(line),
            column: count(column + 1),
        }
    }

    /// The column of a place in UTF-16 code units, from 1.
    #[must_use]
    pub fn utf16_column(&self, position: Position) -> usize {
        if self.ascii {
            return position.column.max(1) as usize;
        }
        let start = self.line_range(position.line).start;
        let before = &self.text[start..self.offset(position)];
        before.encode_utf16().count() + 1
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

impl Span {
    pub(crate) fn at_start(mut self) -> Self {
        self.start = Position { line: 1, column: 1 };
        self.end = self.start;
        self
    }

    /// Cuts the span to its first character, by which a whole map is marked.
    pub(crate) fn first_character(mut self) -> Self {
        self.end = self.start;
        self.end.column += 1;
        self
    }

    /// Itself where it fits a line, else the key that it belongs to.
    pub(crate) fn on_one_line(self, key: Self) -> Self {
        if self.start.line == self.end.line {
            self
        } else {
            key
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

#[cfg(test)]
mod tests {
    use super::{Position, Source};

    fn at(line: u32, column: u32) -> Position {
        Position { line, column }
    }

    #[test]
    fn every_byte_has_a_place_and_every_place_its_byte() {
        for text in ["a\nbc\r\nd\re", "\u{feff}é: 日本\n😀: x\r\n", "", "\n\n"] {
            let source = Source::new("x", text);
            for (offset, c) in source.text.char_indices() {
                let place = source.position(offset);
                // Line breaks lie beyond the end of their line.
                if !matches!(c, '\r' | '\n') {
                    assert_eq!(source.offset(place), offset, "{text:?} at {place:?}");
                }
            }
        }
    }

    #[test]
    fn columns_are_characters_or_utf_16() {
        let source = Source::new("x", "\u{feff}😀日: x");
        assert_eq!(source.position(7), at(1, 3));
        assert_eq!(source.utf16_column(at(1, 3)), 4);
        assert_eq!(source.line(1), "😀日: x");
        assert_eq!(source.offset(at(9, 9)), source.text.len());
    }
}
