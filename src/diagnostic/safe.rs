//! Text from outside made safe to print: it stays on its line, steers no terminal, turns no text around, and commands no
//! CI system.
//!
//! What AWS says, what a check prints and what a plan holds can be anything. A cell, a name or a sentence goes through
//! [`visible`], which leaves one line of it; whatever is printed goes through [`Safe`] as well, at the door, so that
//! nothing depends on every caller having thought of it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Marks that a CI system looks for anywhere in a line, and takes for a command: Azure Pipelines and older GitHub
/// runners (<https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs>), TeamCity.
const COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// Returns true if a character is invisible, or moves others: controls, marks of direction and of order, line
/// separators, invisible joiners, and code points that are no characters.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// A character written out as JSON does it, which is text elsewhere.
fn escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a string does not fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// A text that stays on its line and steers no terminal: what is not seen is written out.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    // Only the door knows what the text is the beginning of, and looks at that.
    match written_out(text, is_hidden) {
        Cow::Borrowed(text) => safe(text, false, &mut false),
        Cow::Owned(text) => Cow::Owned(safe(&text, false, &mut false).into_owned()),
    }
}

/// The same of a text of several lines, such as what a check has printed.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    safe(text, false, &mut true)
}

fn written_out(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hidden(c) {
            escape(c, &mut shown);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// A workflow command of GitHub Actions, `::error file=…::message`, escaped as GitHub's own toolkit does it
/// (<https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>); properties in their order.
#[must_use]
pub fn workflow_command(name: &str, properties: &[(&str, &str)], message: &str) -> String {
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(&visible(text)).replace(':', "%3A").replace(',', "%2C");
    let properties: Vec<String> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", property(value)))
        .collect();
    format!(
        "::{name} {}::{}\n",
        properties.join(","),
        data(&visible_lines(message))
    )
}

/// The door to a terminal or a log: every line that goes through it is safe, whatever wrote it.
///
/// What is written out is `\uXXXX`, so that a JSON document stays the same document.
pub struct Safe<W> {
    out: W,
    /// A line that is not over.
    held: Vec<u8>,
    /// True if colours go through, which redrill makes itself where it has made the rest safe.
    styled: bool,
    at_start: bool,
}

/// The most that is held back of a line that does not end.
const HELD: usize = 1 << 16;

impl<W: Write> Safe<W> {
    /// A door to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            held: Vec::new(),
            styled: false,
            at_start: true,
        }
    }

    /// A door that lets colours through.
    pub fn styled(out: W) -> Self {
        Self {
            styled: true,
            ..Self::new(out)
        }
    }

    /// Writes what is held back; the text is over.
    ///
    /// # Errors
    ///
    /// Where `out` cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.put(&String::from_utf8_lossy(&held))?;
        self.out.flush()
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let safe = safe(text, self.styled, &mut self.at_start);
        self.out.write_all(safe.as_bytes())
    }
}

impl<W: Write> Write for Safe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let end = match self.held.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            // A document can be one line: all of it but what a command, a colour or a character may have begun with.
            None if self.held.len() > HELD => floor(&self.held, HELD - 64),
            None => return Ok(bytes.len()),
        };
        let rest = self.held.split_off(end);
        let piece = std::mem::replace(&mut self.held, rest);
        self.put(&String::from_utf8_lossy(&piece))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The beginning of the character that `at` lies in.
fn floor(bytes: &[u8], at: usize) -> usize {
    let within = bytes[..=at].iter().rev();
    at - within.take_while(|byte| **byte & 0xc0 == 0x80).count()
}

/// A text of several lines as [`Safe`] lets it through.
fn safe<'a>(text: &'a str, styled: bool, at_start: &mut bool) -> Cow<'a, str> {
    let is_plain = |c: char| (!is_hidden(c) && !matches!(c, ':' | '#')) || matches!(c, '\n' | '\t');
    if text.chars().all(is_plain) {
        let last = text.rsplit('\n').next().unwrap_or_default();
        let line_began = *at_start || text.contains('\n');
        *at_start = line_began && last.trim_start().is_empty();
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if styled && let Some(length) = colour(rest) {
            shown.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let is_command = match c {
            ':' => *at_start && rest.starts_with("::"),
            '#' => COMMANDS.iter().any(|command| rest.starts_with(command)),
            _ => false,
        };
        if is_command || (is_hidden(c) && !matches!(c, '\n' | '\t')) {
            escape(c, &mut shown);
        } else {
            shown.push(c);
        }
        *at_start = c == '\n' || (*at_start && c.is_whitespace());
        rest = &rest[c.len_utf8()..];
    }
    Cow::Owned(shown)
}

/// The bytes of a colour at the beginning of a text: `ESC [ … m` of digits and semicolons.
fn colour(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..]
        .starts_with('m')
        .then_some("\u{1b}[".len() + end + 1)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Safe, visible, visible_lines, workflow_command};

    /// Texts that somebody outside could send, and what each is on a line of its own.
    const TABLE: [(&str, &str); 22] = [
        ("a\u{1b}[31mb", "a\\u001b[31mb"),
        ("a\u{1b}]0;title\u{7}b", "a\\u001b]0;title\\u0007b"),
        ("a\u{9b}31mb", "a\\u009b31mb"),
        ("a\rb", "a\\u000db"),
        ("a\u{8}\u{8}b", "a\\u0008\\u0008b"),
        ("a\u{85}b", "a\\u0085b"),
        ("a\u{2028}b\u{2029}c", "a\\u2028b\\u2029c"),
        ("a\u{202e}b\u{202c}", "a\\u202eb\\u202c"),
        ("a\u{2066}b\u{2069}", "a\\u2066b\\u2069"),
        ("a\u{200b}\u{200f}\u{feff}b", "a\\u200b\\u200f\\ufeffb"),
        ("a\u{61c}b", "a\\u061cb"),
        ("a\u{ad}b", "a\\u00adb"),
        ("a\u{fffe}\u{ffff}b", "a\\ufffe\\uffffb"),
        ("a\u{1fffe}b", "a\\ud83f\\udffeb"),
        ("a\u{e0041}b", "a\\udb40\\udc41b"),
        ("a\u{7f}\0b", "a\\u007f\\u0000b"),
        ("a\nb", "a\\u000ab"),
        ("::error::a", "\\u003a:error::a"),
        ("a ##[error]b", "a \\u0023#[error]b"),
        ("a ##vso[task.x]b", "a \\u0023#vso[task.x]b"),
        ("a :: b # c", "a :: b # c"),
        ("äöü 日本 😀 é", "äöü 日本 😀 é"),
    ];

    fn through(text: &str, piece: usize) -> String {
        let mut out = Vec::new();
        let mut door = Safe::new(&mut out);
        for bytes in text.as_bytes().chunks(piece) {
            door.write_all(bytes).unwrap();
        }
        door.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn reliability_r6_25_nothing_from_outside_steers_a_terminal_or_a_ci_system() {
        for (text, safe) in TABLE {
            let line = visible(text).into_owned();
            for piece in [1, 2, 3, 7, 1000] {
                // Behind the door a line's end is one.
                let safe = safe.replace("\\u000a", "\n");
                assert_eq!(through(text, piece), safe, "{text:?} by {piece}");
                assert_eq!(through(&line, piece), through(&line, 1000));
                let twice = through(&safe, piece);
                assert_eq!(twice, safe, "{text:?}");
            }
            assert!(!line.contains('\n'));
            assert_eq!(visible(&line), line);
        }
        let long = format!("{}\u{9b}##[x]", "ä".repeat(50_000));
        assert_eq!(
            through(&long, 4000),
            format!("{}\\u009b\\u0023#[x]", "ä".repeat(50_000))
        );
        assert_eq!(through("x\n  ::error::y\n", 1), "x\n  \\u003a:error::y\n");
        assert_eq!(visible_lines("a\n\tb\r"), "a\n\tb\\u000d");
    }

    /// Colours are ours where nothing else can make them.
    #[test]
    fn only_colours_go_through_a_styled_door() {
        let mut out = Vec::new();
        let mut door = Safe::styled(&mut out);
        let text = "\u{1b}[1m\u{1b}[91merror\u{1b}[0m: \u{1b}[2Ja\u{1b}]8;;x\u{7}\u{1b}[31\n::x";
        door.write_all(text.as_bytes()).unwrap();
        door.finish().unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\u{1b}[1m\u{1b}[91merror\u{1b}[0m: \\u001b[2Ja\\u001b]8;;x\\u0007\\u001b[31\n\\u003a:x"
        );
    }

    /// A document for machines says the same as before.
    #[test]
    fn json_stays_what_it_was() {
        let texts: Vec<&str> = TABLE.iter().map(|(text, _)| *text).collect();
        let document = serde_json::to_string_pretty(&texts).unwrap();
        let safe = through(&document, 3);
        assert!(!safe.contains(|c: char| super::is_hidden(c) && c != '\n'));
        let read: Vec<String> = serde_json::from_str(&safe).unwrap();
        assert_eq!(read, texts);
    }

    #[test]
    fn what_github_reads_as_syntax_is_escaped() {
        assert_eq!(
            workflow_command(
                "error",
                &[("file", "C:\\a,b%.yaml"), ("title", "x\u{1b}\n::y")],
                "100 %: a,b\u{9b}\r\n::error::"
            ),
            "::error file=C%3A\\a%2Cb%25.yaml,title=x\\u001b\\u000a%3A%3Ay::100 %25: a,b\\u009b\\u000d%0A\\u003a:error::\n"
        );
    }
}
