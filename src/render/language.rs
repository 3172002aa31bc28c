//! Subset of Jinja that a template may be written in: expressions and `{% if %}`. Nothing loops and nothing is given a
//! name, so that a template uses each value as often as it is written there.
//!
//! The engine counts no bytes: it repeats a text a hundred million times for one `*`, some of it while it compiles.
//! Input that it must not be given is told by its words and signs, which are split here as the engine splits them.

use std::ops::Range;

use crate::diagnostic::{Rule, rule};

/// Words and signs of one template: each may be a level of the engine's recursion.
const MAX_TOKENS: usize = 1_000;
/// Slices of one template. The engine's are lazy, each a layer around the one before.
const MAX_SLICES: usize = 16;

/// Words that are, or make, what is true or false.
const TRUTHS: [&str; 7] = ["true", "True", "false", "False", "not", "in", "is"];

/// Features that a template uses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Operators that may copy all that they are given.
    pub(super) copies: usize,
    /// Something is made of what is named: it may not be found in the value as it was.
    pub(super) computes: bool,
    /// `~` is in it.
    pub(super) joins: bool,
    /// Truth values may come of it without being looked up.
    pub(super) decides: bool,
}

/// Error in a template, in our words.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) rule: &'static Rule,
    pub(super) message: String,
    pub(super) help: String,
    /// Range in the scalar's text; absent where it is about all of it.
    pub(super) range: Option<Range<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Number,
    String,
    Power,
    Sign(u8),
}

/// Looks through a template. What has no end is left to the engine, which says so.
pub(super) fn check(text: &str) -> Result<Written, Problem> {
    let mut written = Written::default();
    let mut tokens = Vec::new();
    let mut slices = 0;
    let mut at = 0;
    while let Some(start) = marker(text, at) {
        let inside = start + 2;
        at = inside;
        let first = tokens.len();
        let close = match text.as_bytes()[start + 1] {
            b'#' => {
                at = text[inside..]
                    .find("#}")
                    .map_or(text.len(), |end| inside + end);
                continue;
            }
            b'{' => "}}",
            _ => "%}",
        };
        // A sign for white space; a `-` in its place is no operator.
        at += usize::from(text[at..].starts_with(['-', '+']));
        let mut brackets = Vec::new();
        loop {
            let rest = text[at..].trim_ascii_start();
            at = text.len() - rest.len();
            let unsigned = rest.strip_prefix(['-', '+']).unwrap_or(rest);
            let is_closed = brackets.is_empty() && unsigned.starts_with(close);
            let Some((token, len)) = token(rest).filter(|_| !is_closed) else {
                break;
            };
            match (token, brackets.last()) {
                (Token::Sign(open @ (b'(' | b'[' | b'{')), _) => brackets.push(open),
                (Token::Sign(b')' | b']' | b'}'), _) => drop(brackets.pop()),
                (Token::Sign(b':'), Some(b'[')) => {
                    slices += 1;
                    // A second colon in the same brackets is a step.
                    brackets.pop();
                    brackets.push(b':');
                }
                // The engine panics where it goes through nothing backwards.
                (Token::Sign(b':'), Some(b':')) => {
                    return Err(Problem {
                        rule: rule::TEMPLATE_ERROR,
                        message: "a slice takes no step".to_owned(),
                        help: "write `[from:to]`; `| reverse` begins at the end".to_owned(),
                        range: Some(at..at + len),
                    });
                }
                _ => {}
            }
            written.note(token);
            tokens.push((token, at..at + len));
            at += len;
            if tokens.len() > MAX_TOKENS || slices > MAX_SLICES {
                return Err(Problem {
                    rule: rule::TEMPLATE_FUEL,
                    message: format!(
                        "the template has more than {MAX_TOKENS} words and signs, or {MAX_SLICES} slices"
                    ),
                    help: "make less of it, or write the value out".to_owned(),
                    range: Some(start..at),
                });
            }
        }
        if close == "%}" {
            let end = text[at..].find(close).map_or(at, |end| at + end + 2);
            statement(tokens.get(first), start..end)?;
        }
    }
    multiplies_numbers(&tokens)?;
    written.copies += slices;
    Ok(written)
}

impl Written {
    fn note(&mut self, token: Token<'_>) {
        match token {
            Token::Sign(sign) => {
                self.copies += usize::from(matches!(sign, b'~' | b'+'));
                self.computes |= !matches!(sign, b'.' | b'(' | b')');
                self.joins |= sign == b'~';
                self.decides |= matches!(sign, b'=' | b'!' | b'<' | b'>');
            }
            Token::Word(word) => {
                self.computes |= word == "in";
                self.decides |= TRUTHS.contains(&word);
            }
            Token::Power => self.computes = true,
            Token::Number | Token::String => {}
        }
    }
}

/// Finds the next `{{`, `{%` or `{#`.
fn marker(text: &str, mut from: usize) -> Option<usize> {
    loop {
        let at = from + text[from..].find('{')?;
        if matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The word or sign that a text begins with, and its bytes; `None` where there is none, or where it has no end.
fn token(text: &str) -> Option<(Token<'_>, usize)> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let all = |is_of: &dyn Fn(char) -> bool| text.find(|c| !is_of(c)).unwrap_or(text.len());
    Some(match text.chars().next()? {
        '\'' | '"' => (Token::String, string(text)?),
        '0'..='9' => (Token::Number, all(&|c| is_of_word(c) || c == '.')),
        '*' if text.starts_with("**") => (Token::Power, 2),
        c if is_of_word(c) => {
            let len = all(&is_of_word);
            (Token::Word(&text[..len]), len)
        }
        c => (Token::Sign(text.as_bytes()[0]), c.len_utf8()),
    })
}

/// Bytes of the quoted text that a text begins with.
fn string(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    let (_, quote) = bytes.next()?;
    let mut escaped = false;
    for (at, byte) in bytes {
        match (escaped, byte) {
            (true, _) => escaped = false,
            (false, b'\\') => escaped = true,
            (false, byte) if byte == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Refuses `*` but between what is a number whatever the variables are: written out, or made one by a filter.
fn multiplies_numbers(tokens: &[(Token<'_>, Range<usize>)]) -> Result<(), Problem> {
    let at = |at: Option<usize>| tokens.get(at?).map(|(token, _)| *token);
    for (star, (token, range)) in tokens.iter().enumerate() {
        if *token != Token::Sign(b'*') {
            continue;
        }
        let before = at(star.checked_sub(2));
        let is_number = match at(star.checked_sub(1)) {
            Some(Token::Number) => before != Some(Token::Sign(b'.')),
            Some(Token::Word(word)) => makes_number(word) && before == Some(Token::Sign(b'|')),
            _ => false,
        };
        if !is_number || !begins_with_number(&tokens[star + 1..]) {
            return Err(Problem {
                rule: rule::TEMPLATE_ERROR,
                message:
                    "`*` multiplies numbers, and this may be a text: write the number, or `| int` behind the name"
                        .to_owned(),
                help: "for example `vars.n | int * 1024`, or `1024 * vars.n | int`".to_owned(),
                range: Some(range.clone()),
            });
        }
    }
    Ok(())
}

/// Returns true if the operand that these tokens begin with is a number.
fn begins_with_number(tokens: &[(Token<'_>, Range<usize>)]) -> bool {
    let mut tokens = tokens.iter().map(|(token, _)| *token).peekable();
    while tokens.next_if_eq(&Token::Sign(b'-')).is_some() {}
    let mut is_number = match tokens.next() {
        Some(Token::Number) => true,
        Some(Token::Word(_)) => false,
        _ => return false,
    };
    loop {
        match (tokens.next(), is_number) {
            (Some(Token::Sign(b'.')), _) => {
                is_number = false;
                tokens.next();
            }
            (Some(Token::Sign(b'|')), _) => match tokens.next() {
                Some(Token::Word(word)) => is_number = makes_number(word),
                _ => return false,
            },
            (Some(Token::Sign(b'(' | b'[') | Token::Word("is")), _) => return false,
            (_, is_number) => return is_number,
        }
    }
}

/// Filters that come out as a number or not at all.
fn makes_number(filter: &str) -> bool {
    matches!(filter, "int" | "float" | "length" | "count")
}

/// Refuses a statement that the language does without, and says what to write.
fn statement(word: Option<&(Token<'_>, Range<usize>)>, range: Range<usize>) -> Result<(), Problem> {
    let Some((Token::Word(word), _)) = word else {
        return Ok(());
    };
    let help = match *word {
        "if" | "elif" | "else" | "endif" => return Ok(()),
        "for" | "endfor" | "break" | "continue" => {
            "`for_each` makes a restore of each item; within a value a filter goes through a list: \
             `{{ vars.list | join(',') }}`, `{{ vars.list | map('upper') | json }}`"
        }
        "set" | "endset" | "with" | "endwith" => {
            "write the expression where it is used, or declare it under `vars`"
        }
        "macro" | "endmacro" | "call" | "endcall" => {
            "write the expression out where it is used; what differs comes from `vars`, or from `each` of a `for_each`"
        }
        "include" | "import" | "from" | "extends" | "block" | "endblock" => {
            "a plan is one file: write the text into the value, or give it as a variable with `--var-file`"
        }
        "filter" | "endfilter" => "write the text as an expression: `{{ 'text' | upper }}`",
        "raw" | "endraw" => "write the text as an expression: `{{ '{{ as it is }}' }}`",
        "autoescape" | "endautoescape" | "do" => {
            "leave it out: nothing is escaped, and nothing is called for its effect"
        }
        _ => "write an expression between `{{` and `}}`, or `{% if vars.name %}…{% endif %}`",
    };
    Err(Problem {
        rule: rule::TEMPLATE_STATEMENT,
        message: format!(
            "`{{% {word} %}}` cannot be used in a plan: a value is made of expressions and `{{% if %}}`"
        ),
        help: help.to_owned(),
        range: Some(range),
    })
}

#[cfg(test)]
mod tests {
    use minijinja::{Environment, context};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::check;

    /// Templates that would show in the output if they got through.
    const FORBIDDEN: [&str; 6] = [
        "{% set q = 'looped' %}{{ q | upper }}",
        "{% for w in ['r', 'r'] %}{{ w }}{% endfor %}",
        "{% filter upper %}looped{% endfilter %}",
        "{% macro m() %}{{ 'looped' | upper }}{% endmacro %}{{ m() }}",
        "{{ 'ab' * 3 }}",
        "{{ 3 * {'a': 'ab'}.a }}",
    ];
    const PIECES: [&str; 42] = [
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "'",
        "\"",
        "\\",
        "-",
        "+",
        " ",
        "*",
        "3",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        ":",
        ",",
        "~",
        "\n",
        "\r",
        "\u{a0}",
        "\u{b}",
        "ä",
        "#",
        "%",
        "1.5",
        "0x1",
        "1e",
        "raw",
        "endraw",
        "{% if true %}",
        "{% endif %}",
        "{{ 'x' }}",
        "| int",
        "{%-",
        "-%}",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        /// Words and signs are cut here as the engine cuts them, whichever version of it that is.
        #[test]
        fn issue_15_nothing_gets_through_that_the_engine_would_repeat(
            forbidden in select(FORBIDDEN.as_slice()),
            pieces in vec((any::<Index>(), select(PIECES.as_slice())), 0..6),
        ) {
            let mut text: Vec<String> = forbidden.chars().map(String::from).collect();
            for (at, piece) in pieces {
                text.insert(at.index(text.len() + 1), piece.to_owned());
            }
            let text = text.concat();
            if check(&text).is_ok() && let Ok(made) = Environment::new().render_str(&text, context! {}) {
                for mark in ["LOOPED", "rr", "ababab"] {
                    prop_assert!(!made.contains(mark), "{:?} makes {:?}", text, made);
                }
            }
        }
    }
}
