//! Notes on what `run` does and an export does not, restore by restore: its README lists them.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use super::refusals::Chosen;
use crate::diagnostic::{duration, visible};

/// Something that concerns some restores of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    /// Restores that are not in the export.
    Left,
    /// Nobody judges what comes back.
    Checks,
    /// Restores that wait for more than they need.
    Waits,
    /// Their jobs are followed as long as it takes.
    Timeout,
    /// AWS Backup uses the identity of whoever asks.
    NoRole,
    /// Nothing tells their jobs from others once the token is forgotten.
    NoMark,
    /// Restores that write into something that exists.
    Existing,
}

/// All of it: what is to be said, and of which restores.
#[derive(Default)]
pub(super) struct Notes {
    by_kind: BTreeMap<Note, BTreeMap<String, BTreeSet<String>>>,
}

impl Note {
    /// Explains the note to whoever carries out the export.
    pub(super) fn means(self) -> &'static str {
        match self {
            Self::Left => {
                "Not in this export. `redrill run` with the same run id starts them, once what they need is back"
            }
            Self::Checks => {
                "Checks are not run. Run them yourself, or `redrill run` with the same run id, which adopts the jobs and runs them"
            }
            Self::Waits => {
                "They wait for a restore that they do not need, because it is in the same lane. `redrill run` with the same run id starts what did not start"
            }
            Self::Timeout => {
                "The plan says how long to follow them. The machine follows them until they end, for up to 14 days"
            }
            Self::NoRole => {
                "Their requests have no `IamRoleArn`, so AWS restores them as whoever asks: give the role that the machine assumes what their type needs"
            }
            Self::NoMark => {
                "AWS documents no mark for their type. Once AWS has forgotten the token, `redrill run` shows their jobs and asks (`--adopt`)"
            }
            Self::Existing => {
                "They write into something that exists. The machine does not ask first"
            }
        }
    }
}

impl Notes {
    /// Collects the notes on the restores by themselves.
    pub(super) fn new(subject: &Subject<'_>, chosen: &Chosen) -> Self {
        let mut notes = Self::default();
        let plan = subject.plan;
        for (at, why) in &chosen.left {
            notes.add(Note::Left, plan.steps[*at].name.as_str(), why);
        }
        for at in &chosen.steps {
            let step = &plan.steps[*at];
            let names: Vec<&str> = step
                .checks
                .iter()
                .map(|of| of.name.value.as_str())
                .collect();
            if !names.is_empty() {
                notes.add(Note::Checks, step.name.as_str(), &names.join(", "));
            }
            if let Some(timeout) = step.timeout {
                notes.add(
                    Note::Timeout,
                    step.name.as_str(),
                    &duration(timeout.as_secs()),
                );
            }
            if step.draft.request.iam_role_arn.is_none() {
                notes.add(Note::NoRole, step.name.as_str(), "");
            }
            if !step.draft.takes_mark {
                notes.add(
                    Note::NoMark,
                    step.name.as_str(),
                    &step.draft.request.resource_type,
                );
            }
            if step.into_existing {
                notes.add(Note::Existing, step.name.as_str(), "");
            }
        }
        notes
    }

    /// Something of one restore.
    pub(super) fn add(&mut self, note: Note, restore: &str, what: &str) {
        let of_kind = self.by_kind.entry(note).or_default();
        let restores = of_kind.entry(visible(what).into_owned()).or_default();
        restores.insert(visible(restore).into_owned());
    }

    /// Each kind, with what is said and of which restores.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Note, &BTreeMap<String, BTreeSet<String>>)> {
        self.by_kind.iter().map(|(note, said)| (*note, said))
    }
}
