//! Findings as they are collected: a part of the work has its own, which join the rest when it ends.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::{Finding, Severity, human};

use crate::ids::RestoreName;

/// Findings as they are collected.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.all.push(finding);
    }

    /// All of them as those of a restore.
    #[must_use]
    pub fn of(mut self, restore: &RestoreName) -> Self {
        for finding in &mut self.all {
            finding.restore = Some(restore.clone());
        }
        self
    }

    /// All of them as those of a metadata key.
    #[must_use]
    pub fn of_key(mut self, key: &str) -> Self {
        for finding in &mut self.all {
            finding.key = Some(key.to_owned());
        }
        self
    }

    /// All of them with another weight than their rules have.
    #[must_use]
    pub fn weighing(self, severity: Severity) -> Self {
        let all = self.all.into_iter();
        all.map(|finding| finding.weighing(severity)).collect()
    }

    /// Keeps those that `keep` says.
    pub fn retain(&mut self, keep: impl FnMut(&Finding) -> bool) {
        self.all.retain(keep);
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.all.iter()
    }

    /// Each of them, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Finding> {
        self.all.iter_mut()
    }

    /// Returns true if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns true if anything in it stops a run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.first_error().is_some()
    }

    /// The first that stops a run.
    #[must_use]
    pub fn first_error(&self) -> Option<&Finding> {
        self.all.iter().find(|finding| finding.is_error())
    }

    /// Counts the errors and the warnings.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let of = |severity| self.all.iter().filter(|f| f.severity == severity).count();
        (of(Severity::Error), of(Severity::Warning))
    }

    /// All of them in the file's order, each once.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.all.sort_by(|a, b| order(a).cmp(&order(b)));
        self.all.dedup_by(|a, b| {
            a.span == b.span
                && a.rule == b.rule
                && a.message == b.message
                && a.source.name == b.source.name
        });
        once_for_each(self.all)
    }
}

/// Most instances of one `for_each` that are named if the same is found of them; of more, only the first is.
const NAMED: usize = 3;

/// Reports a finding of many instances of one `for_each` once, with how many they are.
fn once_for_each(all: Vec<Finding>) -> Vec<Finding> {
    let group = |finding: &Finding| {
        let (of, _) = finding
            .restore
            .as_ref()
            .map(RestoreName::as_str)?
            .split_once('[')?;
        let start = finding.span.start;
        Some((
            of.to_owned(),
            finding.source.name.clone(),
            (start.line, start.column),
            finding.severity,
            finding.rule.clone(),
            finding.key.clone(),
        ))
    };
    let mut instances: HashMap<_, HashSet<Option<RestoreName>>> = HashMap::new();
    for finding in &all {
        if let Some(group) = group(finding) {
            let restores = instances.entry(group).or_default();
            restores.insert(finding.restore.clone());
        }
    }
    instances.retain(|_, restores| restores.len() > NAMED);
    let mut told = HashMap::new();
    let told = all.into_iter().filter_map(|mut finding| {
        let Some(group) = group(&finding).filter(|group| instances.contains_key(group)) else {
            return Some(finding);
        };
        let others = instances[&group].len() - 1;
        let first = told.entry(group).or_insert_with(|| finding.restore.clone());
        if *first != finding.restore {
            return None;
        }
        finding
            .message
            .push_str(&format!("; the same of {others} other instances"));
        Some(finding)
    });
    told.collect()
}

/// Returns the sort key of a finding.
fn order(finding: &Finding) -> impl Ord {
    (
        &finding.source.name,
        finding.span.start,
        finding.severity,
        &finding.rule,
        &finding.message,
    )
}

/// Findings as people are shown them, without colours.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&human(&self.clone().into_sorted(), false))
    }
}

impl std::error::Error for Findings {}

impl Extend<Finding> for Findings {
    fn extend<T: IntoIterator<Item = Finding>>(&mut self, findings: T) {
        self.all.extend(findings);
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<T: IntoIterator<Item = Finding>>(findings: T) -> Self {
        Self {
            all: findings.into_iter().collect(),
        }
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self { all: vec![finding] }
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}
