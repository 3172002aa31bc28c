//! Selectors with their templates evaluated, and what they were resolved to.

use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Renderer;
use super::fact::Fact;
use super::scope::Scope;
use crate::diagnostic::{Finding, Findings, Rule, rule, suggest};
use crate::ids::{AccountId, Arn};
use crate::parse::{self, Node};

/// Criteria that a recovery point has to meet.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// The name of the vault that it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// The account that owns the vault, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_account: Option<AccountId>,
    /// The ARN of what was backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Choice among several.
    #[serde(default)]
    pub pick: Pick,
    /// Made before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Timestamp>,
    /// Made after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    /// Not older than this when the run starts.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_duration",
        deserialize_with = "read_duration"
    )]
    pub max_age: Option<SignedDuration>,
}

impl Selector {
    /// The vault that it names.
    #[must_use]
    pub fn vault_name(&self) -> Option<VaultName> {
        Some(VaultName {
            name: self.vault.clone()?,
            account: self.vault_account.clone(),
        })
    }
}

/// A vault: one of the caller's own, or one that another account shares with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultName {
    /// Its name.
    pub name: String,
    /// The account that owns it, where it is another: reading what lies in a shared logically air-gapped vault, AWS has to be
    /// told (`BackupVaultAccountId`,
    /// <https://docs.aws.amazon.com/aws-backup/latest/devguide/logicallyairgappedvault.html>).
    pub account: Option<AccountId>,
}

impl VaultName {
    /// A vault of the caller's own.
    #[must_use]
    pub fn own(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            account: None,
        }
    }
}

/// Choice among several recovery points.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Pick {
    /// The one that was made last.
    #[default]
    Latest,
    /// The one that was made first.
    Earliest,
    /// Any, the same one for the same run.
    Random,
}

impl Pick {
    const WORDS: [(&'static str, Self); 3] = [
        ("latest", Self::Latest),
        ("earliest", Self::Earliest),
        ("random", Self::Random),
    ];
}

/// The recovery point that a selector was resolved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Selector that was resolved.
    pub selector: Selector,
    /// The ARN of the recovery point.
    pub recovery_point: String,
    /// The vault that it lies in.
    pub vault: String,
    /// Creation time of the recovery point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The size of the backup, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// Time at which AWS Backup will delete it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Time of the lookup for a lock file; none where the run has looked it up itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_at: Option<Timestamp>,
    /// The lock file that names it; none where the run has looked it up itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
}

impl Resolved {
    /// `by orders.lock.yaml, locked 2026-11-20`; nothing where no lock file says so.
    #[must_use]
    pub fn by_lock(&self) -> Option<String> {
        let file = self.lock.as_ref()?;
        Some(match self.locked_at {
            Some(at) => format!("by {file}, locked {}", at.strftime("%Y-%m-%d")),
            None => format!("by {file}"),
        })
    }
}

/// A duration as it is written in a plan: whole days as days.
#[must_use]
pub fn written(duration: SignedDuration) -> String {
    let days = duration.as_hours() / 24;
    match SignedDuration::from_hours(days * 24) == duration {
        true => format!("{days}d"),
        false => format!("{duration:#}"),
    }
}

fn write_duration<S: Serializer>(
    duration: &Option<SignedDuration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.serialize_str(&written(*duration)),
        None => serializer.serialize_none(),
    }
}

fn read_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SignedDuration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse::duration(&text)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a duration")))
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, pick)| pick == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {}", self.pick)?;
        if let Some(resource) = &self.resource {
            write!(f, " of {resource}")?;
        }
        if let Some(vault) = &self.vault {
            write!(f, " in {vault}")?;
        }
        if let Some(account) = &self.vault_account {
            write!(f, " of {account}")?;
        }
        // The latest of those made before a day is not the latest.
        if let Some(time) = &self.created_after {
            write!(f, ", made after {}", day(time))?;
        }
        if let Some(time) = &self.created_before {
            write!(f, ", made before {}", day(time))?;
        }
        Ok(())
    }
}

/// A time as it may have been written: midnight UTC is a date.
fn day(time: &Timestamp) -> String {
    let text = time.to_string();
    match text.strip_suffix("T00:00:00Z") {
        Some(date) => date.to_owned(),
        None => text,
    }
}

/// A time: RFC 3339, or a date, which begins at midnight UTC. A time of day without its offset is neither.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let date: Date = text.parse().ok()?;
        let is_date_alone = date.to_string() == text;
        let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
        is_date_alone.then_some(midnight)
    })
}

/// A selector that was rendered.
pub(super) struct RenderedSelector {
    pub(super) selector: Selector,
    /// Inputs that have no value yet.
    pub(super) pending: BTreeSet<Fact>,
}

impl Renderer {
    /// Renders every part, so that all that is wrong is said at once; `None` where something is.
    pub(super) fn selector(
        &self,
        written: &parse::SelectorTemplate,
        scope: &Scope,
        of_restore: &mut Findings,
    ) -> Option<RenderedSelector> {
        let mut own = Findings::default();
        let findings = &mut own;
        let mut pending = BTreeSet::new();
        let mut selector = Selector::default();
        if let Some((vault, node)) =
            self.part(&written.vault, "vault", scope, &mut pending, findings)
        {
            if vault.starts_with("arn:") || vault.is_empty() {
                let name = vault.rsplit(':').next().unwrap_or_default();
                let help = match name {
                    "" => "write the name of the vault, such as `vault: dr-vault`".to_owned(),
                    name => format!("write its name: `vault: {name}`"),
                };
                self.wrong(
                    node,
                    rule::SELECTOR_VAULT,
                    "`vault` is the name of a vault",
                    help,
                    findings,
                );
            }
            selector.vault = Some(vault);
        }
        if let Some((account, node)) = self.part(
            &written.vault_account,
            "vault_account",
            scope,
            &mut pending,
            findings,
        ) {
            self.is_account(node, &account, findings);
            selector.vault_account = Some(AccountId::new(account));
        }
        if let Some((resource, node)) =
            self.part(&written.resource, "resource", scope, &mut pending, findings)
        {
            if Arn::parse(&resource).is_none() {
                self.wrong(
                    node,
                    rule::SELECTOR_RESOURCE,
                    &format!("`{resource}` is not an ARN"),
                    "write the ARN of what was backed up, such as `arn:aws:rds:us-east-1:123456789012:cluster:orders`".to_owned(),
                    findings,
                );
            } else if resource.contains(":recovery-point:")
                || resource.contains(":snapshot/")
                || resource.contains(":image/")
            {
                self.wrong(
                    node,
                    rule::SELECTOR_RESOURCE,
                    "this is the ARN of a recovery point, and `resource` is what was backed up",
                    format!("to restore this very one write `recovery_point: {resource}`"),
                    findings,
                );
            }
            selector.resource = Some(resource);
        }
        if let Some((word, node)) = self.part(&written.pick, "pick", scope, &mut pending, findings)
        {
            match Pick::WORDS.iter().find(|(known, _)| *known == word) {
                Some((_, pick)) => selector.pick = *pick,
                None => self.wrong(
                    node,
                    rule::SELECTOR_PICK,
                    &format!("unknown value `{word}` of `pick`"),
                    suggest(&word, Pick::WORDS.map(|(word, _)| word)),
                    findings,
                ),
            }
        }
        let mut time = |node: &Option<Node>, what: &str, findings: &mut Findings| {
            let (text, node) = self.part(node, what, scope, &mut pending, findings)?;
            let time = timestamp(&text);
            if time.is_none() {
                self.wrong(
                    node,
                    rule::SELECTOR_TIME,
                    &format!("`{text}` is not a time"),
                    "write a date, such as `2026-11-20`, or a time, such as `2026-11-20T03:00:00Z`"
                        .to_owned(),
                    findings,
                );
            }
            time
        };
        selector.created_before = time(&written.created_before, "created_before", findings);
        selector.created_after = time(&written.created_after, "created_after", findings);
        if let Some((age, node)) =
            self.part(&written.max_age, "max_age", scope, &mut pending, findings)
        {
            selector.max_age = parse::duration(&age);
            if selector.max_age.is_none() {
                self.wrong(
                    node,
                    rule::SELECTOR_MAX_AGE,
                    &format!("`{age}` is not a duration"),
                    "write a number with its unit, such as `30m`, `4h`, `1h30m` or `2d`".to_owned(),
                    findings,
                );
            }
        }
        if let (Some(after), Some(before), Some(node)) = (
            selector.created_after,
            selector.created_before,
            &written.created_before,
        ) && before <= after
        {
            self.wrong(
                node,
                rule::SELECTOR_WINDOW,
                &format!("nothing is made after {after} and before {before}"),
                "let `created_before` be later than `created_after`".to_owned(),
                findings,
            );
        }
        let refused = own.has_errors();
        of_restore.extend(own);
        (!refused).then_some(RenderedSelector { selector, pending })
    }

    fn is_account(&self, node: &Node, account: &str, findings: &mut Findings) {
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            self.wrong(
                node,
                rule::SELECTOR_VAULT_ACCOUNT,
                &format!("`{account}` is not an account id"),
                "write the 12 digits of the account that owns the vault".to_owned(),
                findings,
            );
        }
    }

    /// The vault that is named beside an ARN; `None` where a part is wrong or has no value yet.
    pub(super) fn placed(
        &self,
        written: &parse::Placed,
        scope: &Scope,
        findings: &mut Findings,
    ) -> Option<VaultName> {
        let (name, waits) = self.text(&written.vault, scope, "vault", findings)?;
        let mut is_known = waits.is_empty();
        let account = match &written.vault_account {
            None => None,
            Some(node) => {
                let (account, waits) = self.text(node, scope, "vault_account", findings)?;
                is_known &= waits.is_empty();
                if waits.is_empty() {
                    self.is_account(node, &account, findings);
                }
                Some(AccountId::new(account))
            }
        };
        is_known.then_some(VaultName { name, account })
    }

    /// One part as a text, with its place; `None` where it is absent, wrong, or hangs on an input without a value.
    fn part<'n>(
        &self,
        node: &'n Option<Node>,
        what: &str,
        scope: &Scope,
        pending: &mut BTreeSet<Fact>,
        findings: &mut Findings,
    ) -> Option<(String, &'n Node)> {
        let node = node.as_ref()?;
        let (text, waits) = self.text(node, scope, what, findings)?;
        self.is_early(node, &waits, findings);
        self.is_open(node, &text, findings);
        let is_known = waits.is_empty();
        pending.extend(waits);
        is_known.then_some((text, node))
    }

    fn wrong(
        &self,
        node: &Node,
        rule: &'static Rule,
        message: &str,
        help: String,
        findings: &mut Findings,
    ) {
        findings.push(Finding::at(
            &self.document().source,
            node.span,
            rule,
            message,
            help,
        ));
    }

    /// Recovery points are looked up once, before anything starts: what is known later comes too late.
    fn is_early(&self, node: &Node, waits: &BTreeSet<Fact>, findings: &mut Findings) {
        if let Some(name) = waits.iter().find(|fact| !matches!(fact, Fact::Input(_))) {
            self.wrong(
                node,
                rule::SELECTOR_LATER,
                &format!("recovery points are looked up before anything starts, and `{name}` is known later"),
                "name the vault and the resource with variables, or write them out".to_owned(),
                findings,
            );
        }
    }

    /// Refuses a secret: what a selector asks for is recorded and shown, and compared with what was asked before.
    fn is_open(&self, node: &Node, text: &str, findings: &mut Findings) {
        if self.secrets().redact(text) != text {
            self.wrong(
                node,
                rule::SELECTOR_SECRET,
                "a selector holds a secret, and what it asks for is recorded and shown",
                "use a variable that is not secret".to_owned(),
                findings,
            );
        }
    }
}
