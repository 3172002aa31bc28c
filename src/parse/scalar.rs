//! Source span of a part of a scalar's text: YAML escapes, folds and indents what it reads.

use std::ops::Range;

use crate::diagnostic::{Source, Span};

/// The place of `range` of the text of a scalar that was written at `span`; `None` where the two cannot be matched, as
/// for a value that an alias has brought from elsewhere.
pub(crate) fn within(source: &Source, span: Span, text: &str, range: Range<usize>) -> Option<Span> {
    if range.start > range.end || range.end > text.len() {
        return None;
    }
    let start = source.offset(span.start);
    let written = &source.text[start..];
    let places = match written.as_bytes().first() {
        Some(b'"') => quoted(written, text, '"'),
        Some(b'\'') => quoted(written, text, '\''),
        _ => None,
    }
    // The text of a block may begin with a quote as well.
    .or_else(|| unquoted(written, text))?;
    let from = *places.get(range.start)?;
    // The end is behind the last character, which may be an escape of several.
    let to = match range.end.checked_sub(1).filter(|_| !range.is_empty()) {
        Some(last) => {
            let place = places[last];
            let next = places[range.end..].iter().find(|at| **at > place);
            next.copied().unwrap_or(place + 1)
        }
        None => from,
    };
    Some(Span {
        start: source.position(start + from),
        end: source.position(start + to),
    })
}

/// Reads a text in quotes: escapes, and line breaks that fold.
fn quoted(written: &str, text: &str, quote: char) -> Option<Vec<usize>> {
    let mut places = SourceOffsets::new(text);
    let mut at = 1;
    loop {
        let rest = &written[at..];
        let first = rest.chars().next()?;
        if first == quote {
            // `''` is a quote within single quotes.
            if quote == '\'' && rest.starts_with("''") {
                places.take(at, "'")?;
                at += 2;
                continue;
            }
            return places.finish(at);
        }
        if first == '\\' && quote == '"' {
            let (taken, stands_for) = escape(rest)?;
            if let Some(c) = stands_for {
                places.take(at, c.encode_utf8(&mut [0; 4]))?;
            }
            at += taken;
            continue;
        }
        let blank = blanks(rest);
        let breaks = line_breaks(blank);
        if breaks > 0 {
            let folded = match breaks {
                1 => " ".to_owned(),
                more => "\n".repeat(more - 1),
            };
            places.take(at, &folded)?;
            at += blank.len();
            continue;
        }
        places.take(at, first.encode_utf8(&mut [0; 4]))?;
        at += first.len_utf8();
    }
}

/// A plain scalar or a block: what separates words is as long as it is, and everything else is as it was written.
fn unquoted(written: &str, text: &str) -> Option<Vec<usize>> {
    let mut places = SourceOffsets::new(text);
    let mut at = blanks(written).len();
    places.take(at, blanks(text))?;
    while let Some(next) = places.rest().chars().next() {
        let blank = blanks(&written[at..]);
        if line_breaks(blank) > 0 {
            let read = blanks(places.rest());
            if read.is_empty() {
                return None;
            }
            places.take(at, read)?;
            at += blank.len();
            continue;
        }
        // At the end of a file a block has the break that it is to have, whether there is one or not.
        if next == '\n' && written[at..].is_empty() {
            let read = places.rest();
            places.take(at, read)?;
            break;
        }
        if !written[at..].starts_with(next) {
            return None;
        }
        places.take(at, next.encode_utf8(&mut [0; 4]))?;
        at += next.len_utf8();
    }
    places.finish(at)
}

/// For each byte of a text the byte that it was written at.
struct SourceOffsets<'a> {
    text: &'a str,
    places: Vec<usize>,
}

impl<'a> SourceOffsets<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            places: Vec::with_capacity(text.len() + 1),
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.places.len()..]
    }

    /// The next of the text has to be `part`, which was written at `at`.
    fn take(&mut self, at: usize, part: &str) -> Option<()> {
        self.rest().starts_with(part).then(|| {
            self.places.extend(part.bytes().map(|_| at));
        })
    }

    fn finish(mut self, end: usize) -> Option<Vec<usize>> {
        self.rest().is_empty().then(|| {
            self.places.push(end);
            self.places
        })
    }
}

fn blanks(text: &str) -> &str {
    &text[..text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len()]
}

fn line_breaks(text: &str) -> usize {
    text.replace("\r\n", "\n").matches(['\n', '\r']).count()
}

/// An escape of a double-quoted scalar (YAML 1.2, 5.7): its length, and what it stands for.
fn escape(text: &str) -> Option<(usize, Option<char>)> {
    let mut rest = text.char_indices().skip(1);
    let (at, c) = rest.next()?;
    let hex = |digits: usize| {
        let code = u32::from_str_radix(text.get(at + 1..at + 1 + digits)?, 16).ok()?;
        Some((at + 1 + digits, Some(char::from_u32(code)?)))
    };
    let one = |stands_for: char| Some((at + c.len_utf8(), Some(stands_for)));
    match c {
        '0' => one('\0'),
        'a' => one('\u{7}'),
        'b' => one('\u{8}'),
        't' | '\t' => one('\t'),
        'n' => one('\n'),
        'v' => one('\u{b}'),
        'f' => one('\u{c}'),
        'r' => one('\r'),
        'e' => one('\u{1b}'),
        'N' => one('\u{85}'),
        '_' => one('\u{a0}'),
        'L' => one('\u{2028}'),
        'P' => one('\u{2029}'),
        ' ' | '"' | '/' | '\\' => one(c),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        // A break that is escaped is none; nor are the blanks that the next line begins with.
        '\n' | '\r' => {
            let breaks = if text[at..].starts_with("\r\n") { 2 } else { 1 };
            let indent = text[at + breaks..].len()
                - text[at + breaks..].trim_start_matches([' ', '\t']).len();
            Some((at + breaks + indent, None))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::within;
    use crate::diagnostic::{Findings, Source, Span};
    use crate::parse::{Kind, Node, yaml};

    /// Every scalar of a document with its text.
    fn scalars(node: &Node, found: &mut Vec<(Span, String)>) {
        match &node.kind {
            Kind::String(text) => found.push((node.span, text.clone())),
            Kind::Sequence(items) => items.iter().for_each(|item| scalars(item, found)),
            Kind::Mapping(entries) => entries.iter().for_each(|e| scalars(&e.value, found)),
            _ => {}
        }
    }

    /// `needle` of each scalar that has it stands at the place that is found for it.
    fn found(text: &str, needle: &str) -> usize {
        let source = Source::new("x", text);
        let mut findings = Findings::default();
        let root = yaml(&source, &mut findings).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        let mut all = Vec::new();
        scalars(&root, &mut all);
        let mut count = 0;
        for (span, value) in all {
            let at = value.find(needle).unwrap_or_else(|| panic!("{value:?}"));
            let place = within(&source, span, &value, at..at + needle.len())
                .unwrap_or_else(|| panic!("no place in {value:?} of {text:?}"));
            assert_eq!(source.slice(place), needle, "in {value:?} of {text:?}");
            count += 1;
        }
        count
    }

    #[test]
    fn a_part_of_a_scalar_is_found_where_it_was_written() {
        let text = concat!(
            "plain: a {{ x }} b\n",
            "folded plain: one\n  two {{ x }}\n\n  three\n",
            "single: 'it''s {{ x }}'\n",
            "single folded: 'a  \n\n\n   b ''{{ x }}'''\n",
            "double: \"\\\"\\u65e5\\x41\\n \\t {{ x }}\\\\\"\n",
            "double folded: \"a \\\n     b\n    c {{ x }}\n  \"\n",
            "literal: |\n  \"quoted\"\n    more {{ x }}\n\n  end\n",
            "kept: |+\n\n  {{ x }}\n\n",
            "folded: >-\n  a\n  b 😀 {{ x }}\n\n   more\n  c\n",
            "indented: |2\n    日本 {{ x }}\n",
            "flow: [\"é {{ x }}\", 'b {{ x }}', a {{ x }}]\n"
        );
        // A plain scalar in a flow collection cannot hold braces.
        let text = text.replace(", a {{ x }}]", "]");
        assert_eq!(found(&text, "{{ x }}"), 12);
        assert_eq!(found(&text.replace('\n', "\r\n"), "{{ x }}"), 12);
        assert_eq!(found(&format!("\u{feff}{text}"), "{{ x }}"), 12);
        assert_eq!(found("a: |\n  {{ x }}", "{{ x }}"), 1);
    }

    #[test]
    fn what_cannot_be_matched_has_no_place() {
        let source = Source::new("x", "a: other");
        let span = Span::default();
        assert_eq!(within(&source, span, "nothing like it", 0..3), None);
        assert_eq!(within(&source, span, "a", 0..9), None);
    }
}
