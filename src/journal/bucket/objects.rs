//! Operations that redrill needs of an object store: keys that are created once, and one that is replaced if nobody
//! else has.

use std::fmt;

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Content of the object.
    pub bytes: Vec<u8>,
    /// Its version, in the store's words.
    pub etag: String,
    /// Name of its writer, to recognize its own after an answer was lost.
    pub writer: Option<String>,
}

/// Outcome of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// Written, with this version.
    Done(String),
    /// The condition does not hold, or somebody writes the same key at the same moment.
    Refused,
}

/// Reason that a store has not done what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// No answer, or one that says to try again: what was asked may have been done.
    Unavailable(String),
    /// The caller, its permissions, or the bucket: trying again does not help.
    Denied(String),
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unavailable(message) | Self::Denied(message)) = self;
        f.write_str(message)
    }
}

/// An object store with conditional writes. No call is repeated inside: whoever calls has to know what an answer that was
/// lost may have done.
pub trait Objects: Clone + Send + Sync + 'static {
    /// Location of the store, for people: `s3://bucket/prefix`.
    fn place(&self) -> String;

    /// An object; none where there is no such key.
    ///
    /// # Errors
    ///
    /// Where the store does not answer, or refuses the caller.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Object>, ObjectError>> + Send;

    /// Writes an object whose key is not there yet (`If-None-Match: *`).
    ///
    /// # Errors
    ///
    /// Where the store does not answer, or refuses the caller.
    fn create(
        &self,
        key: &str,
        bytes: Vec<u8>,
        writer: &str,
    ) -> impl Future<Output = Result<Put, ObjectError>> + Send;

    /// Writes an object that still has a version (`If-Match`).
    ///
    /// # Errors
    ///
    /// Where the store does not answer, or refuses the caller.
    fn replace(
        &self,
        key: &str,
        bytes: Vec<u8>,
        writer: &str,
        etag: &str,
    ) -> impl Future<Output = Result<Put, ObjectError>> + Send;

    /// The names behind a prefix up to the next slash, sorted, all of them: what folders would be.
    ///
    /// # Errors
    ///
    /// Where the store does not answer, or refuses the caller.
    fn folders(
        &self,
        prefix: &str,
    ) -> impl Future<Output = Result<Vec<String>, ObjectError>> + Send;

    /// Keys that begin with a prefix and sort behind another key, sorted, as many as one answer has.
    ///
    /// # Errors
    ///
    /// Where the store does not answer, or refuses the caller.
    fn keys(
        &self,
        prefix: &str,
        after: &str,
    ) -> impl Future<Output = Result<Vec<String>, ObjectError>> + Send;
}
