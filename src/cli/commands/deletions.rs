//! Places where a cleanup deletes what, and whether somebody has agreed to it: account by account.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::backup::Endpoint;
use crate::cleanup::{Disposition, Item};
use crate::cli::confirm::typed;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::ids::{AccountId, Indexed, PlaceIndex, RegionName};
use crate::render::Target;
use crate::report::cleanup_human;

/// In which accounts and Regions something is deleted.
pub(super) struct Touched {
    /// Number of deletions, by account and Region.
    counts: BTreeMap<(AccountId, RegionName), usize>,
    places: BTreeSet<PlaceIndex>,
}

impl Touched {
    pub(super) fn of(levels: &[Vec<Item>], targets: &Indexed<PlaceIndex, Target>) -> Self {
        let mut touched = Self {
            counts: BTreeMap::new(),
            places: BTreeSet::new(),
        };
        for item in levels.iter().flatten() {
            if let Disposition::Delete { named, .. } = &item.disposition
                && let Some(target) = targets.get(named.place)
            {
                let of = (target.account.clone(), target.region.clone());
                *touched.counts.entry(of).or_default() += 1;
                touched.places.insert(named.place);
            }
        }
        touched
    }

    /// The targets, by their places in the run.
    pub(super) fn places(&self) -> impl Iterator<Item = PlaceIndex> {
        self.places.iter().copied()
    }

    fn accounts(&self) -> BTreeSet<&str> {
        self.counts
            .keys()
            .map(|(account, _)| account.as_str())
            .collect()
    }

    /// Tells what is deleted where.
    pub(super) fn sentence(&self) -> String {
        let resources = |n: usize| if n == 1 { "resource" } else { "resources" };
        let total: usize = self.counts.values().sum();
        let mut places = self.counts.iter();
        if let (Some(((account, region), _)), None) = (places.next(), places.next()) {
            return format!(
                "This deletes {total} {} in account {account}, {region}. It cannot be undone.",
                resources(total)
            );
        }
        let mut text = format!(
            "This deletes {total} {} in {} places. It cannot be undone:",
            resources(total),
            self.counts.len()
        );
        for ((account, region), count) in &self.counts {
            let _ = write!(text, "\n  account {account}, {region}: {count}");
        }
        text
    }
}

/// Consent to the deletions, from the command line.
pub(super) struct Confirmation<'a> {
    pub(super) yes: bool,
    pub(super) accounts: &'a [String],
    pub(super) known_by_name: bool,
    /// The name that looks like production, where one does.
    pub(super) production: Option<&'a str>,
    /// The endpoint that is called.
    pub(super) here: &'a Endpoint,
}

impl Confirmation<'_> {
    /// Returns true if resources known by name alone are deleted too: a person who is asked sees them.
    pub(super) fn includes_doubts(&self) -> bool {
        self.known_by_name || !self.yes
    }

    /// Returns true if somebody has agreed, or agrees now.
    pub(super) fn is_given(
        &self,
        touched: &Touched,
        levels: &[Vec<Item>],
    ) -> Result<bool, Failure> {
        let accounts = touched.accounts();
        let listed = Vec::from_iter(accounts.iter().copied()).join(",");
        check_accounts(self.accounts, &accounts, &listed)?;
        if self.yes && (self.production.is_none() || !self.accounts.is_empty()) {
            return Ok(true);
        }
        if !Output::is_interactive() {
            let how = match self.production {
                Some(name) => format!(
                    "`{name}` looks like production: look at --dry-run, then give --yes --confirm-account {listed}"
                ),
                None => "not a terminal, cannot ask: look at --dry-run, then give --yes".to_owned(),
            };
            return Err(Failure::Usage(format!("nothing was deleted: {how}")));
        }
        let mut question = format!("{}{}", cleanup_human(levels), touched.sentence());
        let _ = write!(question, "\nIt is done at {}.", self.here);
        for item in levels.iter().flatten() {
            if let (
                Disposition::Delete {
                    doubt: Some(doubt), ..
                },
                Some(arn),
            ) = (&item.disposition, &item.arn)
            {
                let _ = write!(question, "\nLook at {arn} first: {doubt}.");
            }
        }
        let Some(name) = self.production else {
            return typed(&question, "yes", "delete");
        };
        let _ = write!(question, "\n`{name}` looks like production.");
        for account in accounts {
            if !typed(&question, account, "delete what is in that account")? {
                return Ok(false);
            }
            question.clear();
        }
        Ok(true)
    }
}

/// The accounts that were typed out are those in which something is deleted, all of them and no other.
fn check_accounts(
    typed: &[String],
    accounts: &BTreeSet<&str>,
    listed: &str,
) -> Result<(), Failure> {
    if typed.is_empty() {
        return Ok(());
    }
    let other = typed
        .iter()
        .find(|typed| !accounts.contains(typed.as_str()));
    let missing = accounts
        .iter()
        .find(|account| typed.iter().all(|typed| typed != *account));
    let wrong = match (other, missing) {
        (None, None) => return Ok(()),
        (Some(other), _) => {
            format!("--confirm-account says {other}, and nothing is deleted in that account")
        }
        (None, Some(missing)) => {
            format!(
                "--confirm-account does not say {missing}, and something is deleted in that account too"
            )
        }
    };
    Err(Failure::Usage(format!(
        "nothing was deleted: {wrong}; look at --dry-run, then give --confirm-account {listed}"
    )))
}
