//! How long a restore takes: an estimate, for the order of starting and for forecasts.
//!
//! AWS publishes no times of restores; `schemas/*.yaml` says of each type where its numbers are from.

use jiff::SignedDuration;
use serde::Deserialize;

use crate::render::SourceFacts;

/// For a type that redrill does not know.
pub(crate) const UNKNOWN: SignedDuration = SignedDuration::from_mins(10);
/// What a recovery point in cold storage takes on top
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-a-backup.html>).
const COLD: SignedDuration = SignedDuration::from_hours(4);
const MIB: i64 = 1 << 20;

/// The estimate of a type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Estimate {
    /// For a backup of no size.
    fixed: SignedDuration,
    /// How much of the backup's size in a second on top; left out where size does not count.
    mib_per_second: Option<i64>,
    /// Where the numbers are from; for those who read the file.
    #[serde(rename = "source")]
    _source: String,
}

impl Estimate {
    /// Of one recovery point, as far as it is known.
    pub(crate) fn of(&self, source: Option<&SourceFacts>) -> SignedDuration {
        let Some(source) = source else {
            return self.fixed;
        };
        let of_size = match self.mib_per_second {
            Some(rate) if rate > 0 => {
                SignedDuration::from_secs(source.size_bytes.max(0) / MIB / rate)
            }
            _ => SignedDuration::ZERO,
        };
        let cold = source.storage_class.as_deref() == Some("COLD");
        let thaw = if cold { COLD } else { SignedDuration::ZERO };
        self.fixed + of_size + thaw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_storage_class_count_where_they_are_known() {
        let estimate = Estimate {
            fixed: SignedDuration::from_mins(5),
            mib_per_second: Some(100),
            _source: String::new(),
        };
        assert_eq!(estimate.of(None), SignedDuration::from_mins(5));
        let mut point = SourceFacts {
            size_bytes: 6000 * 100 * MIB,
            ..SourceFacts::default()
        };
        assert_eq!(estimate.of(Some(&point)).as_secs(), 5 * 60 + 6000);
        point.storage_class = Some("COLD".to_owned());
        assert_eq!(
            estimate.of(Some(&point)).as_secs(),
            5 * 60 + 6000 + 4 * 3600
        );
    }
}
