//! `x-redrill.init` in schema files: what a new plan says of a key.

use serde::Deserialize;
use serde_json::{Map, Value};

/// One or several ways to begin; the first whose conditions hold counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Init {
    One(Box<Way>),
    Several(Vec<Way>),
}

/// One way to begin, as `schemas/README.md` explains it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Way {
    /// A JSON Schema over the recovery point.
    pub(crate) when: Option<Value>,
    /// A pattern of the resource's ARN; its named groups stand for themselves as `<name>`.
    #[serde(rename = "match")]
    pub(crate) matches: Option<String>,
    /// The value, whatever AWS returned.
    pub(crate) write: Option<Value>,
    /// The value where AWS returned none.
    pub(crate) otherwise: Option<Value>,
    /// Reason for not sending what AWS returned.
    pub(crate) leave_out: Option<String>,
    /// The variable that holds the value, so that it is mapped in one place.
    pub(crate) var: Option<String>,
    /// A map by the ARN of each recovery point that belongs to this one.
    pub(crate) children: Option<Children>,
    /// Hint about the value.
    pub(crate) why: Option<String>,
    /// True if the key stays although a rule speaks against it, which is then said next to it.
    #[serde(default)]
    pub(crate) keep: bool,
}

/// Entries written for recovery points that belong to another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Children {
    /// Pattern that selects them.
    #[serde(rename = "match")]
    pub(crate) matches: String,
    /// By key.
    pub(crate) write: Map<String, Value>,
    /// By key, the variable that holds the value.
    #[serde(default)]
    pub(crate) vars: Map<String, Value>,
    /// By key, what that variable holds.
    #[serde(default)]
    pub(crate) says: Map<String, Value>,
}

impl Init {
    pub(crate) fn ways(&self) -> &[Way] {
        match self {
            Self::One(way) => std::slice::from_ref(way),
            Self::Several(ways) => ways,
        }
    }
}
