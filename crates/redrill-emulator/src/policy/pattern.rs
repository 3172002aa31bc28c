//! Patterns with `*`, `?` and policy variables.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::context::Context;

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Is(char),
    /// `?`
    One,
    /// `*`
    Any,
}

/// A pattern whose variables have been filled in.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Vec<Part>);

impl Pattern {
    /// None where a variable has no value: nothing fits then. What a variable stands for is text, and no wildcard.
    pub(super) fn new(text: &str, variables: Option<&Context>) -> Option<Pattern> {
        let mut parts = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let (Some(context), Some(inner)) = (variables, rest.strip_prefix("${"))
                && let Some((name, after)) = inner.split_once('}')
            {
                parts.extend(value(name, context)?.chars().map(Part::Is));
                rest = after;
                continue;
            }
            parts.push(match first {
                '*' => Part::Any,
                '?' => Part::One,
                other => Part::Is(other),
            });
            rest = &rest[first.len_utf8()..];
        }
        Some(Pattern(parts))
    }

    /// The same text without wildcards.
    pub(super) fn literal(text: &str, variables: Option<&Context>) -> Option<String> {
        let Some(context) = variables else {
            return Some(text.to_owned());
        };
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, inner)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((name, after)) = inner.split_once('}') else {
                filled.push_str("${");
                rest = inner;
                continue;
            };
            filled.push_str(&value(name, context)?);
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }

    /// Returns true if all of a text fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        matches(&self.0, &text, &|_, _| true)
    }

    /// Returns true if an ARN fits. A wildcard stands for what is within a segment, but a `*` at the end of a segment
    /// «can expand to match beyond the colon boundaries».
    pub(super) fn fits_arn(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let parts = &self.0;
        matches(parts, &text, &|at, c| {
            let ends = matches!(parts.get(at + 1), None | Some(Part::Is(':')));
            c != ':' || parts[at] == Part::Any && ends
        })
    }
}

/// `aws:username`, or `aws:PrincipalTag/team, 'company-wide'`; `*`, `?` and `$` stand for themselves.
fn value(name: &str, context: &Context) -> Option<String> {
    if matches!(name, "*" | "?" | "$") {
        return Some(name.to_owned());
    }
    let (key, default) = match name.split_once(',') {
        None => (name, None),
        Some((key, default)) => (key, Some(default.trim().trim_matches('\''))),
    };
    let found = context.variable(key.trim()).or(default)?;
    Some(found.to_owned())
}

/// Goes back to the last `*` where nothing fits. `may` says whether the wildcard there takes a character.
fn matches(parts: &[Part], text: &[char], may: &dyn Fn(usize, char) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        let fits = match (parts.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(Part::Any), _) => {
                back = Some((p, t));
                p += 1;
                continue;
            }
            (Some(Part::Is(one)), Some(c)) => one == c,
            (Some(Part::One), Some(c)) => may(p, *c),
            _ => false,
        };
        if fits {
            (p, t) = (p + 1, t + 1);
            continue;
        }
        match back {
            Some((star, at)) if text.get(at).is_some_and(|c| may(star, *c)) => {
                back = Some((star, at + 1));
                (p, t) = (star + 1, at + 1);
            }
            _ => return false,
        }
    }
}
