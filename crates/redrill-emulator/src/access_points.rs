//! Backup access points: the data of a recovery point of Amazon S3, to read without a restore.
//!
//! Members, limits and statuses are those of the API's model
//! (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupAccessPoint.html>) and of
//! <https://docs.aws.amazon.com/aws-backup/latest/devguide/backup-instant-access.html>. How long one is being made or
//! deleted is not documented; the minutes here are assumptions. While there is one, its recovery point is not deleted; none
//! is moved to cold storage here, which an access point would keep from happening.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use sha2::{Digest, Sha256};

use super::clock::add;
use super::elsewhere::partition_of;
use super::error::{ApiError, ErrorCode};
use super::start_request::{Member, read, text, utf8};
use redrill_inventory::RecoveryPointStatus;

/// Maximum number for a recovery point.
const MOST: usize = 5;
const CREATION: SignedDuration = SignedDuration::from_mins(1);
const DELETION: SignedDuration = SignedDuration::from_secs(30);

/// Input of CreateBackupAccessPoint.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) recovery_point_arn: String,
    metadata: BTreeMap<String, String>,
}

/// The recovery point that is to be read.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) recovery_point_arn: String,
    pub(super) resource_arn: String,
    pub(super) resource_type: String,
    pub(super) vault: String,
    pub(super) vault_arn: String,
    pub(super) status: RecoveryPointStatus,
}

/// One of them. Its course is settled when it is created, as that of a job is.
#[derive(Clone, Debug)]
pub(super) struct AccessPoint {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) source: Source,
    metadata: BTreeMap<String, String>,
    pub(super) created_at: Timestamp,
    /// Status once it has been made, and the reason for it.
    becomes: (&'static str, Option<String>),
    deleted_at: Option<Timestamp>,
}

/// All of them, in the order of their creation.
#[derive(Debug, Default)]
pub(super) struct AccessPoints(Vec<AccessPoint>);

fn invalid(parameter: &str, why: &str) -> ApiError {
    ApiError::invalid(parameter, format!("{parameter} {why}."))
}

fn required(name: &'static str, member: Member<'_>) -> Result<String, ApiError> {
    let text = text(name, member)?.ok_or_else(|| ApiError::missing(name))?;
    Ok(text.into_owned())
}

/// A map of the model: keys of 1 character or more, and values of `least` or more.
fn map(
    name: &str,
    member: Member<'_>,
    least: usize,
    most: usize,
) -> Result<BTreeMap<String, String>, ApiError> {
    let entries = match member {
        Member::Absent => return Ok(BTreeMap::new()),
        Member::Map(entries) => entries,
        _ => {
            let words = format!("{name} is not a map.");
            return Err(ApiError::new(ErrorCode::Serialization, words));
        }
    };
    let mut found = BTreeMap::new();
    for (key, value) in entries {
        let value = text(name, value)?.unwrap_or_default().into_owned();
        if key.is_empty() || value.len() < least {
            return Err(invalid(name, "has a key or a value that is empty"));
        }
        found.insert(key.into_owned(), value);
    }
    match found.len() > most {
        true => Err(invalid(name, "has too many entries")),
        false => Ok(found),
    }
}

impl Wanted {
    pub(super) fn parse(body: &[u8]) -> Result<Wanted, ApiError> {
        let mut members: BTreeMap<String, Member<'_>> = BTreeMap::new();
        read(utf8(body)?, |name, value| {
            members.insert(name.to_owned(), value);
        })?;
        let mut member = |name: &str| members.remove(name).unwrap_or_default();
        let name = required("Name", member("Name"))?;
        let recovery_point_arn = required("RecoveryPointArn", member("RecoveryPointArn"))?;
        if !is_name(&name) {
            let why = "has to be 3 to 50 small letters, digits and hyphens";
            return Err(invalid("Name", why));
        }
        let policy = text("AccessPointPolicy", member("AccessPointPolicy"))?;
        if policy.is_some_and(|policy| policy.is_empty() || policy.len() > 200_000) {
            let why = "has to be 1 to 200,000 characters";
            return Err(invalid("AccessPointPolicy", why));
        }
        map("Tags", member("Tags"), 0, 200)?;
        let metadata = map(
            "AccessPointMetadata",
            member("AccessPointMetadata"),
            1,
            usize::MAX,
        )?;
        Ok(Wanted {
            name,
            recovery_point_arn,
            metadata,
        })
    }

    /// A continuous recovery point is read as it was at a time; another has one time alone.
    fn check_time(&self) -> Result<(), ApiError> {
        let continuous = self
            .recovery_point_arn
            .contains(":recovery-point:continuous:");
        let time = self.metadata.get("AccessPointInTime");
        match (continuous, time) {
            (true, None) => Err(invalid(
                "AccessPointMetadata",
                "has to have AccessPointInTime for a continuous recovery point",
            )),
            (true, Some(time)) if time.parse::<Timestamp>().is_err() => {
                Err(invalid("AccessPointInTime", "has to be a time"))
            }
            (false, Some(_)) => Err(invalid(
                "AccessPointMetadata",
                "must not have AccessPointInTime for a snapshot",
            )),
            _ => Ok(()),
        }
    }
}

/// The pattern of the model, which looks back from the end.
fn is_name(name: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "a pattern of ours")]
        Regex::new("^[0-9a-z][0-9a-z-]{1,48}[0-9a-z]$").expect("it is one")
    });
    NAME.is_match(name) && !name.ends_with("-s3alias")
}

/// Checks the ARN that a path names: the pattern of the model.
pub(super) fn check_arn(arn: &str) -> Result<(), ApiError> {
    let name = arn.split_once(":accesspoint/").map(|(_, name)| name);
    let parts = arn.split(':').count() == 6 && arn.starts_with("arn:aws");
    match parts && arn.contains(":backup:") && name.is_some_and(is_name) {
        true => Ok(()),
        false => Err(invalid("AccessPointArn", "is not that of an access point")),
    }
}

impl AccessPoints {
    /// `becomes` is what the surroundings say of it: what status it comes to, and a message after a colon.
    pub(super) fn create(
        &mut self,
        (account, region): (&str, &str),
        wanted: Wanted,
        source: Source,
        becomes: Option<&str>,
        now: Timestamp,
    ) -> Result<&AccessPoint, ApiError> {
        use RecoveryPointStatus::{Available, Completed, Stopped};
        wanted.check_time()?;
        if !matches!(source.status, Available | Completed | Stopped) {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                "The recovery point is not AVAILABLE, STOPPED or COMPLETED.",
            ));
        }
        let there = || self.0.iter().filter(|one| !one.is_gone(now));
        let mut own = there().filter(|one| one.account == account && one.region == region);
        if own.any(|one| one.name == wanted.name) {
            return Err(ApiError::new(
                ErrorCode::AlreadyExists,
                format!("An access point named {} already exists.", wanted.name),
            ));
        }
        let of_point = there().filter(|one| {
            one.source.recovery_point_arn == wanted.recovery_point_arn && one.deleted_at.is_none()
        });
        if of_point.count() >= MOST {
            return Err(ApiError::new(
                ErrorCode::LimitExceeded,
                format!("The recovery point has {MOST} access points already."),
            ));
        }
        let partition = partition_of(region);
        let status = becomes.map(|text| text.split_once(": ").unwrap_or((text, "")));
        let becomes = match status {
            Some(("FAILED", why)) => ("FAILED", Some(why.to_owned())),
            Some(("EXPIRED", why)) => ("EXPIRED", Some(why.to_owned())),
            Some(("DISASSOCIATED", why)) => ("DISASSOCIATED", Some(why.to_owned())),
            _ => ("AVAILABLE", None),
        };
        self.0.push(AccessPoint {
            arn: format!(
                "arn:{partition}:backup:{region}:{account}:accesspoint/{}",
                wanted.name
            ),
            name: wanted.name,
            account: account.to_owned(),
            region: region.to_owned(),
            source,
            metadata: wanted.metadata,
            created_at: now,
            becomes,
            deleted_at: None,
        });
        // The point was just added.
        let last = self.0.len() - 1;
        Ok(&self.0[last])
    }

    /// DeleteBackupAccessPoint; again, while it is being deleted, changes nothing.
    pub(super) fn delete(
        &mut self,
        account: &str,
        arn: &str,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let mut own = self.0.iter_mut().filter(|one| one.account == account);
        let found = own.find(|one| one.arn == arn && !one.is_gone(now));
        let found = found.ok_or_else(|| no_access_point(arn))?;
        found.deleted_at.get_or_insert(now);
        Ok(())
    }

    /// The one of that ARN.
    pub(super) fn get(
        &self,
        account: &str,
        arn: &str,
        now: Timestamp,
    ) -> Result<&AccessPoint, ApiError> {
        let mut own = self.0.iter().filter(|one| one.account == account);
        let found = own.find(|one| one.arn == arn && !one.is_gone(now));
        found.ok_or_else(|| no_access_point(arn))
    }

    /// One that keeps a recovery point from being deleted: «While a backup access point is active for a recovery point, Backup
    /// pauses lifecycle transitions and blocks deletion of that recovery point.» One that has failed, or has expired, is not.
    pub(super) fn active_of(&self, arn: &str, now: Timestamp) -> Option<&AccessPoint> {
        let active = |one: &&AccessPoint| {
            one.source.recovery_point_arn == arn
                && matches!(one.status(now), "CREATING" | "AVAILABLE" | "DELETING")
        };
        self.all(now).find(active)
    }

    /// Lists the access points that are there.
    pub(super) fn all(&self, now: Timestamp) -> impl Iterator<Item = &AccessPoint> {
        self.0.iter().filter(move |one| !one.is_gone(now))
    }
}

fn no_access_point(arn: &str) -> ApiError {
    let words = format!("Backup access point {arn} does not exist.");
    ApiError::new(ErrorCode::ResourceNotFound, words)
}

impl AccessPoint {
    fn is_gone(&self, now: Timestamp) -> bool {
        self.deleted_at.is_some_and(|at| add(at, DELETION) <= now)
    }

    /// `AccessPointStatus` of the model.
    pub(super) fn status(&self, now: Timestamp) -> &'static str {
        match self.deleted_at {
            Some(_) => "DELETING",
            None if now < add(self.created_at, CREATION) => "CREATING",
            None => self.becomes.0,
        }
    }

    pub(super) fn status_message(&self, now: Timestamp) -> Option<&str> {
        let made = self.status(now) == self.becomes.0;
        self.becomes.1.as_deref().filter(|_| made)
    }

    /// Returns the time of the next status change.
    pub(super) fn next_event(&self, now: Timestamp) -> Option<Timestamp> {
        let next = match self.deleted_at {
            Some(at) => add(at, DELETION),
            None => add(self.created_at, CREATION),
        };
        (next > now).then_some(next)
    }

    /// Returns what it was created with, and once it is there the access point of Amazon S3 to read through.
    pub(super) fn metadata(&self, now: Timestamp) -> BTreeMap<String, String> {
        let mut metadata = self.metadata.clone();
        if self.status(now) == "AVAILABLE" {
            let (region, account, name) = (&self.region, &self.account, &self.name);
            let partition = partition_of(region);
            let arn = format!("arn:{partition}:s3:{region}:{account}:accesspoint/{name}");
            let digest = Sha256::digest(arn.as_bytes());
            let random: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let beginning: String = name.chars().take(20).collect();
            let alias = format!("{beginning}-{}-s3alias", &random[..30]);
            metadata.insert("S3AccessPointArn".to_owned(), arn);
            metadata.insert("S3AccessPointAlias".to_owned(), alias);
        }
        metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns() {
        for name in ["abc", "orders-2026", &"a".repeat(50)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "ab",
            "Abc",
            "-abc",
            "abc-",
            "a_b",
            &"a".repeat(51),
            "orders-s3alias",
        ] {
            assert!(!is_name(name), "{name}");
        }
        check_arn("arn:aws:backup:us-east-1:123456789012:accesspoint/orders").unwrap();
        for arn in [
            "",
            "!",
            "arn:aws:s3:us-east-1:123456789012:accesspoint/orders",
            "arn:aws:backup:us-east-1:123456789012:accesspoint/O",
        ] {
            check_arn(arn).unwrap_err();
        }
    }
}
