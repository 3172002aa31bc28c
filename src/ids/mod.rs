//! Ids that AWS and redrill give to things, each of a type of its own. Mixed up, they do not compile:
//!
//! ```compile_fail
//! use redrill::backup::JobQuery;
//! use redrill::ids::{AccountId, RunId};
//! JobQuery::nested_in(&AccountId::new("123456789012"), &RunId::new("main"));
//! ```
//!
//! ```
//! use redrill::backup::JobQuery;
//! use redrill::ids::{AccountId, JobId};
//! JobQuery::nested_in(&AccountId::new("123456789012"), &JobId::new("4A-1"));
//! ```
//!
//! An id is text, and is kept as it came. It is shared: a clone costs no memory.

mod arn;
mod index;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use arn::Arn;
pub use index::{DocumentIndex, Indexed, PlaceIndex, StepIndex, TargetIndex};

/// A type of text that is written, read, shown, compared and looked up as the text itself.
macro_rules! id_type {
    ($(#[$about:meta])* pub struct $name:ident;) => {
        $(#[$about])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Names this text as one.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        // Maps are looked up by text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, text: &str) -> bool {
                *self.0 == *text
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, text: &&str) -> bool {
                *self.0 == **text
            }
        }

        impl PartialEq<$name> for str {
            fn eq(&self, id: &$name) -> bool {
                *self == *id.0
            }
        }

        impl PartialEq<$name> for &str {
            fn eq(&self, id: &$name) -> bool {
                **self == *id.0
            }
        }
    };
}

id_type! {
    /// A restore job's: AWS Backup makes it, and writes it in upper and in lower case. Opaque.
    pub struct JobId;
}

impl JobId {
    /// Returns true if both are the id of one job, however AWS writes it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

id_type! {
    /// An AWS account's: 12 digits where it is AWS that says it; what a plan says is judged by `validate`, and is empty where it
    /// is not known.
    pub struct AccountId;
}

id_type! {
    /// An AWS Region's name, such as `us-east-1`: what a plan says is judged by `validate`, and is empty where it is not known.
    pub struct RegionName;
}

impl Default for AccountId {
    /// Returns the id of an account that is not known.
    fn default() -> Self {
        Self::new("")
    }
}

impl Default for RegionName {
    /// Returns the name of a Region that is not known.
    fn default() -> Self {
        Self::new("")
    }
}

id_type! {
    /// A run's, of its plan: whoever starts the run says it, and it is `main` where nobody does.
    pub struct RunId;
}

id_type! {
    /// The name of a restore in its plan: with the key in brackets, as in `tables[orders]`, where it has a `for_each`.
    pub struct RestoreName;
}

impl Default for RestoreName {
    /// Name of a restore that is not known yet.
    fn default() -> Self {
        Self::new("")
    }
}

id_type! {
    /// The token of a StartRestoreJob, by which AWS knows a request that is sent again: `plan::token` makes it, from all
    /// that the request is.
    pub struct IdempotencyToken;
}

id_type! {
    /// Digest that tells one request from another: SHA-256 of its canonical form without the token, in hexadecimal,
    /// which `plan::digest` makes.
    pub struct RequestDigest;
}

id_type! {
    /// The client token of a deletion, which `cleanup` makes: the same deletion has the same.
    pub struct ClientToken;
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    /// Journals, saved plans and messages were written when ids were plain text.
    #[test]
    fn an_id_is_written_read_shown_and_found_as_its_text() {
        let id = JobId::new("4A-\"1\"");
        let text = "4A-\"1\"";
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), json);
        assert_eq!(serde_json::from_str::<JobId>(&json).unwrap(), id);
        assert_eq!(format!("{id} {id:?}"), format!("{text} {text:?}"));
        assert_eq!(format!("{id:>9}|"), format!("{text:>9}|"));
        assert_eq!(HashMap::from([(id.clone(), 1)]).get(text), Some(&1));
        assert_eq!(BTreeMap::from([(id, 1)]).get(text), Some(&1));
    }

    #[test]
    fn a_job_is_the_same_however_aws_writes_it() {
        let id = JobId::new("4a-1");
        assert!(id.is_same(&JobId::new("4A-1")) && id != JobId::new("4A-1"));
        assert!(!id.is_same(&JobId::new("4A-2")));
    }
}
