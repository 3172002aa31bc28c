//! `--against`: what a plan is held against.

use std::fmt;
use std::path::PathBuf;

use super::arguments::run_id;
use crate::ids::RunId;

/// Base that a plan is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// Resources that were backed up.
    Source,
    /// Requests that a run has sent; the run of `--run-id` if none is named.
    Run(Option<RunId>),
    /// The plan as it was in a revision.
    Git(String),
    /// Another plan file.
    File(PathBuf),
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Run(None) => f.write_str("run"),
            Self::Run(Some(id)) => write!(f, "run:{id}"),
            Self::Git(revision) => write!(f, "git:{revision}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Against {
    /// Place of the named plan in words, such as `on main`; none if no plan is named.
    pub(super) fn place(&self) -> Option<String> {
        match self {
            Self::Source | Self::Run(_) => None,
            Self::Git(revision) => Some(format!("on {revision}")),
            Self::File(path) => Some(format!("in {}", path.display())),
        }
    }
}

pub(super) fn against(text: &str) -> Result<Against, String> {
    match text.split_once(':') {
        None if text == "source" => Ok(Against::Source),
        None if text == "run" => Ok(Against::Run(None)),
        Some(("run", id)) => Ok(Against::Run(Some(run_id(id)?))),
        Some(("git", revision)) if !revision.is_empty() => Ok(Against::Git(revision.to_owned())),
        Some(("file", path)) if !path.is_empty() => Ok(Against::File(path.into())),
        _ => Err("write `source`, `run`, `run:ID`, `git:REV` or `file:PATH`".to_owned()),
    }
}
