//! Kind of a YAML file, by its content: files of four kinds lie in one folder, and patterns match them all.

use std::sync::Arc;

use super::fields::FieldReader;
use super::{Kind, Node, yaml};
use crate::diagnostic::{Findings, Source, Span, did_you_mean, rule};

/// Kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A plan, or what was meant to be one.
    Plan,
    /// Output of `redrill lock`.
    Lock,
    /// Values for `--var-file`.
    Variables,
    /// Output of `redrill inventory`.
    Inventory,
    /// None of these.
    Other,
}

/// The keys at the top of a plan that no variable is called.
const OF_PLAN: [&str; 8] = [
    "plan",
    "vars",
    "objectives",
    "limits",
    "on_failure",
    "target",
    "targets",
    "restores",
];

impl FileKind {
    /// Returns the kind of a text. A text that cannot be read as YAML is judged by the keys that begin its lines.
    #[must_use]
    pub fn of(source: &Arc<Source>) -> Self {
        // A plan, which may be long, is read once, as a plan.
        if plain_keys(&source.text).and_then(|keys| Self::of_keys(&keys)) == Some(Self::Plan) {
            return Self::Plan;
        }
        // Faults of the text are reported by whoever reads it as its kind.
        let mut findings = Findings::default();
        if let Some(root) = yaml(source, &mut findings) {
            return Self::of_root(&root);
        }
        Self::of_documents(source, &findings).unwrap_or_else(|| {
            let keys: Vec<&str> = source.text.lines().filter_map(key_of).collect();
            Self::of_keys(&keys).unwrap_or(Self::Other)
        })
    }

    pub(super) fn of_root(root: &Node) -> Self {
        let Kind::Mapping(entries) = &root.kind else {
            return Self::Other;
        };
        let keys: Vec<&str> = entries.iter().map(|e| e.key.value.as_str()).collect();
        Self::of_keys(&keys).unwrap_or_else(|| {
            let is_name = |key: &str| key.chars().all(|c| c.is_alphanumeric() || c == '_');
            match keys.is_empty() || !keys.iter().all(|key| is_name(key)) {
                true => Self::Other,
                false => Self::Variables,
            }
        })
    }

    /// By the keys at its top; none where they are no file's of redrill, and so may be variables.
    fn of_keys(keys: &[&str]) -> Option<Self> {
        let has = |key: &str| keys.contains(&key);
        if has("version") && has("plan") && has("restores") && !has("target") && !has("targets") {
            return Some(Self::Lock);
        }
        if has("vaults") && (has("account") || has("region")) && !has("restores") {
            return Some(Self::Inventory);
        }
        // A slip of the fingers is still a plan, and its findings say which key was meant.
        let of_plan = |key: &&str| OF_PLAN.contains(key) || did_you_mean(key, OF_PLAN).is_some();
        let is_plan = keys.iter().any(|key| OF_PLAN.contains(key))
            || keys.iter().filter(|key| of_plan(key)).count() > 1;
        is_plan.then_some(Self::Plan)
    }

    /// Returns the kind of the first of several documents, where the findings say that there are several: an inventory
    /// has one for each account and Region.
    pub(super) fn of_documents(source: &Arc<Source>, findings: &Findings) -> Option<Self> {
        let second = findings.iter().find(|f| f.is(rule::YAML_DOCUMENTS))?;
        let text = &source.text[..source.offset(second.span.start)];
        let first = Source::new(source.name.clone(), text);
        let root = yaml(&first, &mut Findings::default())?;
        Some(Self::of_root(&root))
    }
}

/// The keys at the top, where each begins a line as a plain word, and nothing else does.
fn plain_keys(text: &str) -> Option<Vec<&str>> {
    let at_top = |line: &&str| !line.is_empty() && !line.starts_with([' ', '\t', '#', '\r']);
    text.lines().filter(at_top).map(key_of).collect()
}

/// The key that begins a line, of what is not indented.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(':')?;
    (!key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_')).then_some(key)
}

/// The one finding of a file that is given where a plan belongs.
pub(super) fn refuse(kind: FileKind, span: Span, reader: &mut FieldReader<'_>) {
    let name = &reader.source.name;
    let (message, help) = match kind {
        FileKind::Plan => return,
        FileKind::Lock => (
            "this is a lock file, not a plan",
            "give the plan; the lock file next to it is used without being named".to_owned(),
        ),
        FileKind::Variables => (
            "this looks like a variables file, not a plan",
            format!(
                "give the plan, and this file with `--var-file {name}`; a plan has `plan`, `target` and `restores`"
            ),
        ),
        FileKind::Inventory => (
            "this is an inventory, not a plan",
            format!(
                "give the plan, and this file with `--inventory {name}`; `redrill init --inventory {name}` writes a plan from it"
            ),
        ),
        FileKind::Other => (
            "this is not a plan",
            "give a file that has `plan`, `target` and `restores`; `redrill init` writes one"
                .to_owned(),
        ),
    };
    reader.report(span, rule::PLAN_NOT_A_PLAN, message, help);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> FileKind {
        FileKind::of(&Source::new("a.yaml", text))
    }

    #[test]
    fn first_contact_b1_a_file_is_what_its_keys_say() {
        let plan = "plan: a\ntarget: { region: us-west-2 }\nrestores: {}\n";
        assert_eq!(of(plan), FileKind::Plan);
        assert_eq!(of("version: 1\nplan: a\nrestores: {}\n"), FileKind::Lock);
        assert_eq!(of(&format!("version: 1\n{plan}")), FileKind::Plan);
        assert_eq!(of("subnet: subnet-1\ntables: [a]\n"), FileKind::Variables);
        assert_eq!(of("{\"subnet\": \"subnet-1\"}"), FileKind::Variables);
        let inventory = "account: \"1\"\nregion: a\nvaults: {}\n";
        assert_eq!(of(inventory), FileKind::Inventory);
        assert_eq!(
            of(&format!("{inventory}---\n{inventory}")),
            FileKind::Inventory
        );
        assert_eq!(of("- a\n"), FileKind::Other);
        assert_eq!(
            of("apiVersion: v1\na-b: 1\n---\nkind: X\n"),
            FileKind::Other
        );
        assert_eq!(of(""), FileKind::Other);
    }

    #[test]
    fn a_plan_with_a_mistake_is_a_plan() {
        assert_eq!(of("plan: a\nrestore: {}\n"), FileKind::Plan);
        assert_eq!(of("plans: a\nrestore: {}\n"), FileKind::Plan);
        assert_eq!(of("plan: a\nrestores: { a: [\n"), FileKind::Plan);
    }
}
