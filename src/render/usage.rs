//! Variables that the templates of a plan use.

use std::collections::BTreeSet;

use crate::diagnostic::{Finding, Findings, rule};
use crate::parse::Document;

/// A variable that no template names. Where a template takes them all, or by a name that it makes, all count as used;
/// where commands are run, so do secrets, which are kept out of what those print.
pub(super) fn unused(document: &Document, findings: &mut Findings) {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for template in templates(&document.source.text) {
        for (at, _) in template.match_indices("vars") {
            let behind = template[at + "vars".len()..].trim_start();
            let is_whole =
                template[..at].ends_with(is_of_a_name) || behind.starts_with(is_of_a_name);
            let name = match (is_whole, behind.chars().next()) {
                (true, _) => continue,
                (_, Some('.')) => behind[1..].trim_start(),
                (_, Some('[')) => {
                    let inside = behind[1..].trim_start();
                    match inside.strip_prefix(['\'', '"']) {
                        Some(name) => name,
                        None => return,
                    }
                }
                _ => return,
            };
            let end = name.find(|c| !is_of_a_name(c) && c != '-');
            let name = &name[..end.unwrap_or(name.len())];
            used.insert(name);
            // `vars.a-1` is a subtraction, and `vars['a-1']` a name.
            used.insert(name.split('-').next().unwrap_or_default());
        }
    }
    let of_restores = document.restores.iter().map(|restore| &restore.checks);
    let runs_commands = of_restores
        .chain([&document.checks, &document.cutover])
        .any(|checks| !checks.is_empty());
    for variable in &document.vars {
        let name = variable.name.value.as_str();
        let is_used = used.contains(name) || (variable.secret && runs_commands);
        if !is_used {
            findings.push(Finding::at(
                &document.source,
                variable.name.span,
                rule::VARS_UNUSED,
                format!("no template uses `{name}`"),
                format!("use it as `{{{{ vars.{name} }}}}`, or remove it"),
            ));
        }
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Returns the texts between the braces of templates.
fn templates(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, behind) = rest.split_once('{')?;
            rest = behind;
            let close = match behind.chars().next() {
                Some('{') => "}}",
                Some('%') => "%}",
                _ => continue,
            };
            let inside = &behind[1..];
            let end = inside.find(close);
            let inside = &inside[..end.unwrap_or(inside.len())];
            rest = match end {
                Some(end) => &behind[1 + end..],
                None => "",
            };
            return Some(inside);
        }
    })
}
