//! One recovery point among many: which one a selector means, or why none of them will do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::backup::{PointStatus, RecoveryPoint, denied_action};
use crate::diagnostic::{Rule, Span, rule, suggest};
use crate::ids::{RestoreName, RunId};
use crate::parse::{Point, Restore};
use crate::render::{Pick, Selector};

/// Selector, with who asks for it, and when.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Requirements for the recovery point.
    pub selector: &'a Selector,
    /// AWS's name of the type that is restored: decides where the selector names a vault alone.
    pub resource_type: &'a str,
    /// Start of the run, to come or past: ages are measured from here.
    pub start: Timestamp,
    /// The run, for `pick: random`.
    pub run: &'a RunId,
    /// The restore, for `pick: random`.
    pub restore: &'a RestoreName,
}

/// Reason that no recovery point was selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unselected {
    /// None fits.
    None(PassedOver),
    /// All that would fit belong to a composite recovery point: by ARN, with that of the composite.
    Nested(BTreeMap<String, String>),
    /// The vault holds recovery points of several resources, and the selector names none of them.
    Several(BTreeSet<String>),
    /// AWS refuses the vault, or the resource where none is named: with its words, and the vaults there are.
    Refused(String, Vec<String>),
}

impl Unselected {
    /// The rule of the finding.
    #[must_use]
    pub fn rule(&self) -> &'static Rule {
        match self {
            Self::None(_) => rule::SELECTOR_NOTHING_FITS,
            Self::Nested(_) => rule::SELECTOR_NESTED,
            Self::Several(_) => rule::SELECTOR_SEVERAL_RESOURCES,
            Self::Refused(..) => rule::SELECTOR_REFUSED,
        }
    }

    /// The part of the plan that it is about.
    #[must_use]
    pub fn place(&self, restore: &Restore) -> Span {
        let Some(Point::Selector(written)) = &restore.recovery_point else {
            return restore.name.span;
        };
        match (self, &written.vault, &written.resource) {
            (Self::Refused(..), Some(node), _) | (Self::Refused(..), None, Some(node)) => node.span,
            _ => written.span,
        }
    }

    /// Suggests what to write instead.
    #[must_use]
    pub fn help(&self, selector: &Selector) -> String {
        match self {
            Self::None(passed) if passed.seen() == 0 => {
                "check the vault, the resource, the account and the Region".to_owned()
            }
            Self::None(_) => {
                "ask for less, or make a backup; `aws backup list-recovery-points-by-resource` lists what there is"
                    .to_owned()
            }
            Self::Nested(points) => match points.first_key_value() {
                Some((nested, parent)) => format!(
                    "restore the composite with `recovery_point: {parent}`, or only this part with `recovery_point: {nested}`"
                ),
                None => String::new(),
            },
            Self::Several(resources) => {
                let first = resources.first().map_or("", String::as_str);
                format!("name the one that is meant: `resource: {first}`")
            }
            // The message says what is missing.
            Self::Refused(message, _) if denied_action(message).is_some() => {
                "see that the caller may list recovery points; `redrill iam PLAN` prints what a plan needs".to_owned()
            }
            Self::Refused(_, vaults) => match &selector.vault {
                Some(vault) if selector.vault_account.is_some() => format!(
                    "check the name `{vault}`, the account that owns it, the Region, and whether the vault is shared with this account"
                ),
                Some(vault) if !vaults.is_empty() && !vaults.contains(vault) => format!(
                    "{}; a vault that another account shares is named with `vault_account`",
                    suggest(vault, vaults.iter().map(String::as_str))
                ),
                _ => "check the name, and the account and the Region of the target; an inventory has to be of the same ones"
                    .to_owned(),
            },
        }
    }
}

impl fmt::Display for Unselected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None(passed) => write!(f, "no recovery point fits: {passed}"),
            Self::Nested(points) => write!(
                f,
                "every recovery point that fits is part of a composite one, and a selector only chooses whole ones: {}",
                some(
                    points.len(),
                    points
                        .iter()
                        .map(|(nested, parent)| format!("{nested} is part of {parent}"))
                )
            ),
            Self::Several(resources) => write!(
                f,
                "the vault holds recovery points of {} resources of this type, and the selector names none: {}",
                resources.len(),
                some(resources.len(), resources.iter().cloned())
            ),
            Self::Refused(message, _) => {
                write!(f, "the recovery points cannot be listed: {message}")
            }
        }
    }
}

/// Resources and recovery points that a message names.
const SHOWN: usize = 3;

/// The first few of many, and how many more there are.
fn some(count: usize, all: impl Iterator<Item = String>) -> String {
    let shown: Vec<String> = all.take(SHOWN).collect();
    let more = match count.saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(", and {n} more"),
    };
    format!("{}{more}", shown.join(", "))
}

/// Number of recovery points that were seen, and why each was passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    reasons: BTreeMap<Reason, usize>,
}

/// Reason that a recovery point was passed over; the first that applies counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    OtherResource,
    OtherVault(String),
    OtherType(String),
    Status(PointStatus),
    Temporary,
    Nested,
    WithoutDate,
    TooOld,
    NotBefore(Timestamp),
    NotAfter(Timestamp),
}

impl PassedOver {
    /// Returns the number seen.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.reasons.values().sum()
    }

    fn add(&mut self, reason: Reason) {
        *self.reasons.entry(reason).or_default() += 1;
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = match self.seen() {
            0 => return f.write_str("there is no recovery point"),
            1 => "1 recovery point was seen".to_owned(),
            n => format!("{n} recovery points were seen"),
        };
        write!(f, "{seen}: ")?;
        for (at, (reason, count)) in self.reasons.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{count} {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherResource => f.write_str("of another resource"),
            Self::OtherVault(vault) => write!(f, "in the vault `{vault}`"),
            Self::OtherType(of) => write!(f, "of type {of}"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Temporary => f.write_str("deleted as soon as it has been copied"),
            Self::Nested => f.write_str("part of a composite one"),
            Self::WithoutDate => f.write_str("without a date"),
            Self::TooOld => f.write_str("too old"),
            Self::NotBefore(at) => write!(f, "not made before {at}"),
            Self::NotAfter(at) => write!(f, "not made after {at}"),
        }
    }
}

/// The recovery point that a selector means. Neither the order of `points` nor the pages they came in decide anything.
///
/// # Errors
///
/// Where none fits, and why, or where several resources would.
pub fn select<'p>(
    points: &'p [RecoveryPoint],
    asked: &Selection<'_>,
) -> Result<&'p RecoveryPoint, Unselected> {
    let mut passed = PassedOver::default();
    let mut fitting: Vec<(Timestamp, &RecoveryPoint)> = Vec::new();
    let mut resources = BTreeSet::new();
    let mut nested = BTreeMap::new();
    for point in points {
        let mut fits = fits(point, asked);
        // An old resource whose backups have stopped still counts: a silent change to the other would be worse.
        let is_elsewhere = matches!(
            fits,
            Err(Reason::OtherResource | Reason::OtherVault(_) | Reason::OtherType(_))
        );
        if !is_elsewhere && point.parent.is_none() && asked.selector.resource.is_none() {
            resources.insert(point.resource_arn.clone());
        }
        // A part of a composite point comes back with it, or is named by its own ARN: a user who asks for a cluster and
        // gets a part of one has lost the rest without a word.
        if let (Ok(_), Some(parent)) = (&fits, &point.parent) {
            nested.insert(point.arn.clone(), parent.clone());
            fits = Err(Reason::Nested);
        }
        match fits {
            Ok(created_at) => fitting.push((created_at, point)),
            Err(reason) => passed.add(reason),
        }
    }
    if resources.len() > 1 {
        return Err(Unselected::Several(resources));
    }
    let chosen = match asked.selector.pick {
        Pick::Latest => fitting.into_iter().max_by_key(|(at, p)| (*at, &*p.arn)),
        Pick::Earliest => fitting.into_iter().min_by_key(|(at, p)| (*at, &*p.arn)),
        Pick::Random => fitting.into_iter().min_by_key(|(_, p)| lot(asked, &p.arn)),
    };
    chosen
        .map(|(_, point)| point)
        .ok_or(match nested.is_empty() {
            true => Unselected::None(passed),
            false => Unselected::Nested(nested),
        })
}

/// Returns the creation time of a recovery point that fits, or why it does not.
fn fits(point: &RecoveryPoint, asked: &Selection<'_>) -> Result<Timestamp, Reason> {
    let selector = asked.selector;
    if let Some(resource) = &selector.resource
        && point.resource_arn != *resource
    {
        return Err(Reason::OtherResource);
    }
    if let Some(vault) = &selector.vault
        && (point.vault != *vault || point.vault_account != selector.vault_account)
    {
        return Err(Reason::OtherVault(point.vault.clone()));
    }
    if selector.resource.is_none()
        && let Some(of) = &point.resource_type
        && !same_type(of, asked.resource_type)
    {
        return Err(Reason::OtherType(of.clone()));
    }
    if !point.status.is_restorable() {
        return Err(Reason::Status(point.status.clone()));
    }
    if point.deleted_after_copy {
        return Err(Reason::Temporary);
    }
    let created_at = point.created_at.ok_or(Reason::WithoutDate)?;
    if let Some(age) = selector.max_age
        && asked.start.duration_since(created_at) > age
    {
        return Err(Reason::TooOld);
    }
    if let Some(before) = selector.created_before
        && created_at >= before
    {
        return Err(Reason::NotBefore(before));
    }
    if let Some(after) = selector.created_after
        && created_at <= after
    {
        return Err(Reason::NotAfter(after));
    }
    Ok(created_at)
}

/// AWS writes the names of its types with and without blanks.
fn same_type(a: &str, b: &str) -> bool {
    let folded = |text: &str| {
        text.chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .map(|c| c.to_ascii_lowercase())
            .collect::<String>()
    };
    folded(a) == folded(b)
}

/// The lot that a recovery point draws: the smallest wins. It depends on no other point, so that one that is gone changes
/// the choice where it had won, and nowhere else.
fn lot(asked: &Selection<'_>, arn: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [asked.run.as_str(), asked.restore.as_str(), arn] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
