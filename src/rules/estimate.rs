//! Estimate of how long a restore takes, for the order of starting, and as the basis of a forecast.
//!
//! AWS publishes few times of restores; `schemas/*.yaml` gives the source of each type's numbers.

use jiff::SignedDuration;
use serde::Deserialize;

use super::facts::Condition;
use crate::render::{Metadata, SourceFacts};

/// For a type that redrill does not know.
pub(crate) const UNKNOWN: SignedDuration = SignedDuration::from_mins(10);
/// Time that a recovery point in cold storage takes on top
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-a-backup.html>).
pub(crate) const COLD: SignedDuration = SignedDuration::from_hours(4);
pub(crate) const MIB: i64 = 1 << 20;

/// The estimate of a type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Estimate {
    /// For a backup of no size.
    pub(crate) fixed: SignedDuration,
    /// Size handled per second, for the time on top; left out if the size does not count.
    pub(crate) mib_per_second: Option<i64>,
    /// True if somebody has published or measured them in public; they are assumptions otherwise.
    #[serde(default)]
    pub(crate) published: bool,
    /// Source of the numbers.
    pub(crate) source: String,
    /// Restores of the type that take another time than the rest.
    #[serde(default)]
    variants: Vec<EstimateVariant>,
}

/// Restores of a type that are told apart by what is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EstimateVariant {
    name: String,
    #[serde(flatten)]
    condition: Condition,
}

impl Estimate {
    /// The variant of a request, where its type has several and it is one of them.
    pub(crate) fn variant(&self, metadata: &Metadata) -> Option<&str> {
        let mut variants = self.variants.iter();
        let found = variants.find(|variant| variant.condition.holds(metadata));
        found.map(|variant| variant.name.as_str())
    }

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
            published: false,
            source: String::new(),
            variants: Vec::new(),
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
