//! Coverage: worlds with the table that a person wrote for each, properties, the calendar, and the command.

mod calendar;
mod command;
mod properties;
mod worlds;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use redrill::backup::{Endpoint, PointStatus, RecoveryPoint};
use redrill::coverage::{CoveragePolicy, ProtectedResource, protected};
use redrill::proof::{Ledger, Proof, ProofResult};

use crate::proof::{added, proof};

/// Noon of a day.
pub(crate) fn noon(day: Date) -> Timestamp {
    day.at(12, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .unwrap()
        .timestamp()
}

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:rds:us-east-1:123456789012:db:{name}")
}

/// A recovery point of a database.
pub(crate) fn point(name: &str) -> RecoveryPoint {
    RecoveryPoint {
        arn: format!("arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-{name}"),
        vault: "primary".to_owned(),
        vault_account: None,
        resource_arn: arn(name),
        resource_type: Some("RDS".to_owned()),
        status: PointStatus::Completed,
        created_at: Some(Timestamp::UNIX_EPOCH),
        size_bytes: Some(100),
        storage_class: None,
        parent: None,
        is_parent: false,
        expires_at: None,
        deleted_after_copy: false,
        encryption_key_arn: None,
    }
}

/// What a line is, where it is not one of AWS's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forged {
    No,
    Rehearsal,
    Emulator,
    Unchecked,
    Doubted,
}

/// A line of the ledger about a resource.
pub(crate) fn shown(
    name: &str,
    at: Timestamp,
    result: ProofResult,
    rto_seconds: Option<i64>,
    forged: Forged,
) -> Proof {
    let run = at.to_string().replace(':', "");
    let line = Proof {
        at,
        result,
        rto_seconds,
        reason: (result != ProofResult::Proven).then(|| "no_check".to_owned()),
        ..proof(&arn(name), &run)
    };
    match forged {
        Forged::No => line,
        Forged::Rehearsal => Proof {
            endpoint: Endpoint::Rehearsal,
            ..line
        },
        Forged::Emulator => Proof {
            endpoint: Endpoint::Other {
                url: "http://localhost:1".to_owned(),
            },
            ..line
        },
        Forged::Unchecked => Proof {
            checks: Vec::new(),
            ..line
        },
        Forged::Doubted => Proof {
            reason: Some("adopted".to_owned()),
            ..line
        },
    }
}

/// A ledger of these lines, one after the other.
pub(crate) fn ledger(lines: impl IntoIterator<Item = Proof>) -> Ledger {
    let ledger = Ledger::parse(added("", lines).as_bytes());
    assert_eq!(ledger.damages(), []);
    ledger
}

/// The types that policies here name.
pub(crate) const TYPES: [&str; 3] = ["EFS", "RDS", "S3"];

pub(crate) fn policy(text: &str) -> CoveragePolicy {
    CoveragePolicy::parse(text, &TYPES).unwrap()
}

/// Databases that are protected, by name.
pub(crate) fn databases<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<ProtectedResource> {
    let points: Vec<RecoveryPoint> = names.into_iter().map(point).collect();
    protected(&points, [])
}
