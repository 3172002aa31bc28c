//! Source of files: the working directory, or a revision of the repository. Plans, variables, locks and inventories are
//! read alike from either.

use std::path::Path;
use std::sync::Arc;

use super::exit::Failure;
use super::files;
use super::git::Revision;
use crate::diagnostic::Source;

/// A state of the files.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tree<'a> {
    /// Files as they are.
    Working,
    /// Files as they were; those that are not in the repository, as they are.
    Revision(&'a Revision),
}

impl Tree<'_> {
    /// A text file that findings will point into; none where a revision did not have it.
    pub(super) fn source(&self, path: &Path) -> Result<Option<Arc<Source>>, Failure> {
        let Self::Revision(revision) = self else {
            return files::source(path).map(Some);
        };
        if path == Path::new("-") || !revision.holds(path)? {
            return files::source(path).map(Some);
        }
        match revision.read(path)? {
            Some(bytes) => files::decode(&revision.label(path), bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The same of a file that need not be there.
    pub(super) fn source_if_there(&self, path: &Path) -> Result<Option<Arc<Source>>, Failure> {
        let is_read_as_it_is = match self {
            Self::Working => true,
            Self::Revision(revision) => !revision.holds(path)?,
        };
        if is_read_as_it_is && !path.exists() {
            return Ok(None);
        }
        self.source(path)
    }
}
