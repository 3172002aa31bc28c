//! Texts that only name things: `{{ vars.key }}`, `{{ plan }}-{{ run.id }}`.
//!
//! Whatever is in any way more, or not there, is left to the engine, which makes the same of these.

use std::fmt::Write as _;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::builtins;
use super::scope::Scope;

/// Names at a scope's root for which the language has no other meaning.
const ROOTS: [&str; 8] = [
    "each", "plan", "restore", "restores", "run", "source", "target", "vars",
];

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TextPart<'t> {
    /// Text as it stands there.
    Text(&'t str),
    /// Names with dots between them.
    Name(&'t str),
}

/// The pieces of a text; `None` where it holds anything but names. One that is a name alone has its type, whatever space
/// is around it.
pub(super) fn parts(text: &str) -> Option<Vec<TextPart<'_>>> {
    // The engine has its own ideas about the ends of lines.
    if text.contains(['\n', '\r']) || text.contains("{%") || text.contains("{#") {
        return None;
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let (inside, after) = behind.split_once("}}")?;
        if !before.is_empty() {
            parts.push(TextPart::Text(before));
        }
        parts.push(TextPart::Name(path(inside.trim_matches(' '))?));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(TextPart::Text(rest));
    }
    let is_space =
        |part: &TextPart<'_>| matches!(part, TextPart::Text(raw) if raw.trim().is_empty());
    let names = parts
        .iter()
        .filter(|part| matches!(part, TextPart::Name(_)));
    if names.count() == 1
        && parts
            .iter()
            .all(|p| matches!(p, TextPart::Name(_)) || is_space(p))
    {
        parts.retain(|part| !is_space(part));
    }
    Some(parts)
}

fn path(text: &str) -> Option<&str> {
    let mut names = text.split('.');
    let is_root = names.next().is_some_and(|root| ROOTS.contains(&root));
    let is_name = |name: &str| {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    (is_root && names.all(is_name)).then_some(text)
}

/// Looks up the value at a path; `None` where there is none.
pub(super) fn look_up(scope: &Scope, path: &str) -> Option<Value> {
    let mut value = scope.clone();
    for name in path.split('.') {
        value = value.get_attr(name).ok()?;
        if value.is_undefined() {
            return None;
        }
    }
    Some(value)
}

/// Writes a value as it stands inside a text; `None` where it cannot stand there.
pub(super) fn write(value: &Value, text: &mut String) -> Option<()> {
    match (value.as_str(), value.kind()) {
        (Some(string), _) => text.push_str(string),
        (None, ValueKind::Bool | ValueKind::Number | ValueKind::String) => {
            write!(text, "{}", builtins::in_text(value)).ok()?;
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{TextPart, parts};

    #[test]
    fn only_names_are_taken() {
        use TextPart::{Name, Text};
        for (text, expected) in [
            ("{{ vars.key }}", vec![Name("vars.key")]),
            (" {{plan}}  ", vec![Name("plan")]),
            (
                "{{ plan }}-{{ run.id }}",
                vec![Name("plan"), Text("-"), Name("run.id")],
            ),
            (
                " {{ plan }}{{ plan }}",
                vec![Text(" "), Name("plan"), Name("plan")],
            ),
            (
                "a}} {b} {{ each.value.name }}.",
                vec![Text("a}} {b} "), Name("each.value.name"), Text(".")],
            ),
        ] {
            assert_eq!(parts(text), Some(expected), "{text}");
        }
        for text in [
            "{{ vars.key | lower }}",
            "{{ vars['key'] }}",
            "{{- plan }}",
            "{{ plan -}}",
            "{{{ plan }}}",
            "{{ plan",
            "{{ }}",
            "{{ plan. }}",
            "{{ plan.1 }}",
            "{{ true }}",
            "{{ range }}",
            "{{ Plan }}",
            "{{ plan }}\n",
            "{{ plan }}{# no #}",
            "{% if plan %}{{ plan }}{% endif %}",
            "{{ vars.a\t}}",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
