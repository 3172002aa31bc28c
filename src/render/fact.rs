//! Facts that are not known yet, and where they are needed.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;

/// Something that is not known yet, as templates name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The recovery point of a selector that was not resolved.
    RecoveryPoint,
    /// `source.…`: what the recovery point says of what was backed up.
    Source(String),
    /// `restores.…`: what another restore makes.
    Restored(String),
    /// An input: a variable, or another name at the top.
    Input(String),
}

impl Fact {
    /// A name with its parts, joined by dots.
    #[must_use]
    pub fn named(name: String) -> Self {
        match name.split('.').next() {
            Some("recovery_point") if name == "recovery_point" => Self::RecoveryPoint,
            Some("source") => Self::Source(name),
            Some("restores") => Self::Restored(name),
            _ => Self::Input(name),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::RecoveryPoint => "recovery_point",
            Self::Source(name) | Self::Restored(name) | Self::Input(name) => name,
        }
    }
}

/// The place in a request that waits for facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestField {
    /// `RecoveryPointArn`.
    RecoveryPoint,
    /// A key of the metadata.
    Key(String),
}

impl RequestField {
    /// Its name in the request.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::RecoveryPoint => "RecoveryPointArn",
            Self::Key(key) => key,
        }
    }
}

macro_rules! by_name {
    ($($of:ty),*) => {$(
        impl fmt::Display for $of {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl PartialOrd for $of {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $of {
            fn cmp(&self, other: &Self) -> Ordering {
                self.as_str().cmp(other.as_str())
            }
        }
    )*};
}

by_name!(Fact, RequestField);

impl Borrow<str> for RequestField {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_keeps_its_name() {
        for (name, expected) in [
            ("recovery_point", Fact::RecoveryPoint),
            (
                "source.metadata.VpcId",
                Fact::Source("source.metadata.VpcId".to_owned()),
            ),
            (
                "restores.db.created_arn",
                Fact::Restored("restores.db.created_arn".to_owned()),
            ),
            ("vars.x", Fact::Input("vars.x".to_owned())),
        ] {
            let fact = Fact::named(name.to_owned());
            assert_eq!(fact, expected);
            assert_eq!(fact.as_str(), name);
        }
    }
}
