//! A plan and something to hold it against to what changed: restore by restore, key by key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::keys::{Comparing, KeyChange, KeyDiff, RestoreKeys};
use super::review::{Class, ReviewNote};
use super::{Action, Diff};
use crate::ids::{RequestDigest, RestoreName, StepIndex};
use crate::plan::Plan;
use crate::render::SourceFacts;

/// Texts longer than this are not searched for a name inside.
const SEARCHED: usize = 4096;

/// A restore on the other side.
#[derive(Clone, Debug)]
pub struct BaseRestore {
    /// Its name there.
    pub name: RestoreName,
    /// Keys that it asks for; absent if that is invalid there.
    pub subject: Option<RestoreKeys>,
    /// The digest of the request, where it is known by a record of it that shows no secrets.
    pub digest: Option<RequestDigest>,
}

/// Kind of change to a restore since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Nothing differs.
    Same,
    /// Some keys do.
    Changed,
    /// There was none.
    Added,
    /// The same request under another name; keys that are made of the name differ.
    Renamed {
        /// The name before.
        from: RestoreName,
    },
    /// There is nothing to hold it against, and why.
    Uncompared {
        /// Why.
        why: &'static str,
    },
}

/// One restore of the plan, held against the other side.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The index of the step in the plan.
    pub step: StepIndex,
    /// Kind of the change.
    pub kind: ChangeKind,
    /// Keys that differ.
    pub keys: KeyDiff,
    /// Notes about it as a whole.
    pub notes: Vec<ReviewNote>,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Compared {
    /// In the plan's order; those that are acted on.
    pub restores: Vec<Restored>,
    /// Restores that the plan no longer has, as they were.
    pub removed: Vec<(RestoreName, Option<RestoreKeys>)>,
}

impl Restored {
    /// Returns true if there is anything to look at.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.kind != ChangeKind::Same
    }

    /// The keys that tell something: of a restore that is all new its headline has the rest.
    pub fn telling(&self) -> impl Iterator<Item = &KeyChange> {
        let is_new = matches!(self.kind, ChangeKind::Added | ChangeKind::Uncompared { .. });
        let changes = self.keys.changes.iter();
        changes.filter(move |change| !(is_new && change.is_in_headline()))
    }

    /// Everything that a reviewer looks at twice.
    #[must_use]
    pub fn classes(&self) -> BTreeSet<Class> {
        let keys = self.keys.changes.iter().flat_map(|change| &change.classes);
        keys.copied()
            .chain(self.notes.iter().map(|note| note.class))
            .collect()
    }
}

impl Compared {
    /// Returns true if anything differs.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.removed.is_empty() || self.restores.iter().any(Restored::is_changed)
    }

    /// Counts the restores with changes of a class.
    #[must_use]
    pub fn count(&self, class: Class) -> usize {
        let changed = self
            .restores
            .iter()
            .filter(|restored| restored.is_changed());
        changed
            .filter(|restored| restored.classes().contains(&class))
            .count()
    }
}

/// Holds the restores that are acted on against those of another plan, or of a run; of that, `only` those where it
/// names any.
#[must_use]
pub fn compare(
    plan: &Plan,
    diff: &Diff,
    before: &[BaseRestore],
    only: &[String],
    comparing: &Comparing<'_>,
) -> Compared {
    let named: HashMap<&str, &BaseRestore> = before.iter().map(|e| (e.name.as_str(), e)).collect();
    let in_plan: BTreeSet<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    let mut gone: Vec<Option<&BaseRestore>> = before
        .iter()
        .filter(|entry| !in_plan.contains(entry.name.as_str()))
        .filter(|entry| only.is_empty() || only.iter().any(|name| entry.name == name.as_str()))
        .map(Some)
        .collect();
    // Candidates for a rename, by what says most about them: ten thousand by ten thousand is too many to try.
    let mut candidates: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, entry) in gone.iter().enumerate() {
        if let Some(subject) = entry.and_then(|entry| entry.subject.as_ref()) {
            candidates.entry(identity(subject)).or_default().push(at);
        }
    }
    let restores = diff
        .changes
        .iter()
        .map(|change| {
            let step = &plan.steps[change.step];
            let subject = RestoreKeys::of_draft(&step.draft, &plan.targets[step.target]);
            let (kind, keys) = match named.get(step.name.as_str()) {
                Some(BaseRestore {
                    subject: Some(was),
                    digest,
                    ..
                }) => {
                    let keys = match digest {
                        Some(digest) => comparing.recorded(was, digest, subject, &step.draft),
                        None => comparing.keys(Some(was), &subject),
                    };
                    let kind = if keys.changes.is_empty() {
                        ChangeKind::Same
                    } else {
                        ChangeKind::Changed
                    };
                    (kind, keys)
                }
                Some(BaseRestore { subject: None, .. }) => {
                    let why = "it was invalid there";
                    (
                        ChangeKind::Uncompared { why },
                        comparing.keys(None, &subject),
                    )
                }
                None => {
                    let slot = candidates
                        .get(&identity(&subject))
                        .into_iter()
                        .flatten()
                        .copied()
                        .find(|at| {
                            gone[*at]
                                .is_some_and(|was| is_renamed(was, step.name.as_str(), &subject))
                        });
                    match slot.and_then(|at| gone[at].take()) {
                        Some(was) => {
                            let keys = comparing.keys(was.subject.as_ref(), &subject);
                            (
                                ChangeKind::Renamed {
                                    from: was.name.clone(),
                                },
                                keys,
                            )
                        }
                        None => (ChangeKind::Added, comparing.keys(None, &subject)),
                    }
                }
            };
            Restored {
                step: change.step,
                kind,
                keys,
                notes: Vec::new(),
            }
        })
        .collect();
    let removed = gone
        .into_iter()
        .flatten()
        .map(|entry| {
            let shown = |subject: RestoreKeys| {
                let [old, new] = comparing.secrets;
                subject.redacted(old).redacted(new)
            };
            (entry.name.clone(), entry.subject.clone().map(shown))
        })
        .collect();
    Compared { restores, removed }
}

/// Holds the restores that are acted on against what was backed up.
#[must_use]
pub fn compare_sources(
    plan: &Plan,
    diff: &Diff,
    sources: &BTreeMap<String, SourceFacts>,
    comparing: &Comparing<'_>,
) -> Compared {
    let restores = diff
        .changes
        .iter()
        .map(|change| {
            let step = &plan.steps[change.step];
            let subject = RestoreKeys::of_draft(&step.draft, &plan.targets[step.target]);
            let facts = sources.get(&step.draft.request.recovery_point_arn);
            let (kind, keys) = match facts {
                // Nothing is sent any more, so nothing would be other than it is.
                _ if change.action == Action::Done => (ChangeKind::Same, KeyDiff::default()),
                None => {
                    let why = "the recovery point is not at hand";
                    (
                        ChangeKind::Uncompared { why },
                        comparing.keys(None, &subject),
                    )
                }
                Some(facts) => {
                    let was = RestoreKeys::of_source(facts, &subject, comparing.review.rules());
                    let keys = comparing.keys(Some(&was), &subject.beside_source(&was));
                    let kind = if keys.changes.is_empty() {
                        ChangeKind::Same
                    } else {
                        ChangeKind::Changed
                    };
                    (kind, keys)
                }
            };
            Restored {
                step: change.step,
                kind,
                keys,
                notes: Vec::new(),
            }
        })
        .collect();
    Compared {
        restores,
        removed: Vec::new(),
    }
}

impl Compared {
    /// Adds what there is to know about whole restores; of one that is the same as before, nothing.
    #[must_use]
    pub fn noted(
        mut self,
        plan: &Plan,
        diff: &Diff,
        resources: &BTreeSet<String>,
        comparing: &Comparing<'_>,
    ) -> Self {
        let review = comparing.review;
        let mut collisions = review.collisions(plan, resources);
        for (restored, change) in self.restores.iter_mut().zip(&diff.changes) {
            if !restored.is_changed() || change.action == Action::Done {
                continue;
            }
            let step = &plan.steps[restored.step];
            let shown = |message: String| {
                let message = comparing.secrets[1].redact(&message).into_owned();
                comparing.secrets[0].redact(&message).into_owned()
            };
            if let Some(into) = review.writes_into(&step.draft, &plan.targets[step.target]) {
                let unsaid = match step.into_existing || change.action != Action::Start {
                    true => "",
                    false => "; say so with `into_existing: true`",
                };
                let message = shown(format!("writes into {into}{unsaid}"));
                restored.notes.push(ReviewNote {
                    class: Class::Existing,
                    message,
                });
            }
            for message in collisions.remove(&restored.step).unwrap_or_default() {
                let message = shown(message);
                restored.notes.push(ReviewNote {
                    class: Class::Collision,
                    message,
                });
            }
            if change.action == Action::Start {
                let message = "cannot be cancelled once it has been started".to_owned();
                restored.notes.push(ReviewNote {
                    class: Class::Irrevocable,
                    message,
                });
            }
        }
        self
    }
}

/// Returns what a restore keeps when it is renamed.
fn identity(subject: &RestoreKeys) -> String {
    let part = |key: &str| {
        subject
            .keys
            .get(key)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    format!("{} {}", part("ResourceType"), part("RecoveryPointArn"))
}

/// Returns true if a restore asks for the same as another, except for what is made of its own name.
fn is_renamed(was: &BaseRestore, name: &str, subject: &RestoreKeys) -> bool {
    let Some(before) = &was.subject else {
        return false;
    };
    before.keys.len() == subject.keys.len()
        && before
            .keys
            .iter()
            .zip(&subject.keys)
            .all(|((key, old), (other, new))| {
                let same = || match (old.as_str(), new.as_str()) {
                    (Some(old), Some(new)) => is_made_of(old, was.name.as_str(), new, name),
                    _ => false,
                };
                key == other && (old == new || same())
            })
}

/// Returns true if a text is another one with some mentions of a name replaced.
fn is_made_of(old: &str, before: &str, new: &str, after: &str) -> bool {
    if old == new {
        return true;
    }
    if old.len() > SEARCHED || new.len() > SEARCHED {
        return false;
    }
    // The ways to have read both up to here, as offsets into the new text; a mention may be the name or other text.
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let (before, after) = (before.as_bytes(), after.as_bytes());
    let mut ways: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); old.len() + 1];
    ways[0].insert(0);
    for at in 0..old.len() {
        for to in std::mem::take(&mut ways[at]) {
            if new.get(to) == Some(&old[at]) {
                ways[at + 1].insert(to + 1);
            }
            if !before.is_empty() && old[at..].starts_with(before) && new[to..].starts_with(after) {
                ways[at + before.len()].insert(to + after.len());
            }
        }
    }
    ways[old.len()].contains(&new.len())
}

#[cfg(test)]
mod tests {
    use super::is_made_of;

    #[test]
    fn a_text_that_is_made_of_a_name_follows_the_name() {
        for (old, before, new, after) in [
            ("orders-a-main", "a", "orders-b-main", "b"),
            ("a-a", "a", "b-b", "b"),
            ("a-a", "a", "a-bb", "bb"),
            ("same", "x", "same", "y"),
            ("«a»", "a", "«ü»", "ü"),
        ] {
            assert!(is_made_of(old, before, new, after), "{old} {new}");
        }
        for (old, before, new, after) in [
            ("orders-a-main", "a", "orders-c-main", "b"),
            ("a", "a", "", "b"),
            ("", "a", "b", "b"),
        ] {
            assert!(!is_made_of(old, before, new, after), "{old} {new}");
        }
    }
}
