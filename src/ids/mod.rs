//! What things are called: the ids of AWS's and of ours, each of a type of its own. Mixed up, they do not compile.
//!
//! An id is text that somebody else has made, and is kept as it came. It is shared: a clone costs no memory.

mod index;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use index::{Indexed, PlaceIndex, StepIndex, TargetIndex};

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
    };
}

id_type! {
    /// A restore job's: AWS Backup makes it, and writes it in upper and in lower case. Opaque.
    pub struct JobId;
}

impl JobId {
    /// Whether it is the same job's, however AWS writes it.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

id_type! {
    /// A run's, of its plan: whoever starts the run says it, and it is `main` where nobody does.
    pub struct RunId;
}

id_type! {
    /// The token of a StartRestoreJob, by which AWS knows a request that is sent again: `plan::token` makes it, from all
    /// that the request is.
    pub struct IdempotencyToken;
}

id_type! {
    /// What tells one request from another: SHA-256 of its canonical form without the token, in hexadecimal, which
    /// `plan::digest` makes.
    pub struct RequestDigest;
}

id_type! {
    /// The client token of a deletion, which `cleanup` makes: the same deletion has the same.
    pub struct ClientToken;
}
