//! The files of an export, and how those of a directory differ from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::plan::sha256;

/// File that lists the others with their sums; `sha256sum -c` reads it.
const SUMS: &str = "SHA256SUMS";

/// Files below a directory, by their paths, with `/` between their parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, File>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Content of the file.
    pub bytes: Vec<u8>,
    /// True if it is a program.
    pub is_executable: bool,
}

/// Difference between a file of a directory and the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The directory does not have it.
    Missing(String),
    /// The directory has other bytes.
    Changed(String),
    /// The directory lists a file that the export does not have.
    Left(String),
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "missing: {path}"),
            Self::Changed(path) => write!(f, "changed: {path}"),
            Self::Left(path) => write!(f, "no longer part of it: {path}"),
        }
    }
}

impl Files {
    /// The list of the others, in a directory that an export was written to.
    pub const SUMS: &'static str = SUMS;

    /// Adds a file that is read.
    pub fn add(&mut self, path: &str, text: impl Into<Vec<u8>>) {
        self.put(path, text.into(), false);
    }

    /// Adds a program.
    pub fn add_program(&mut self, path: &str, text: impl Into<Vec<u8>>) {
        self.put(path, text.into(), true);
    }

    fn put(&mut self, path: &str, bytes: Vec<u8>, is_executable: bool) {
        let file = File {
            bytes,
            is_executable,
        };
        self.0.insert(path.to_owned(), file);
    }

    /// The same, with the list of them.
    #[must_use]
    pub fn with_sums(mut self) -> Self {
        let line = |(path, file): (&String, &File)| format!("{}  {path}\n", sha256(&file.bytes));
        let sums: String = self.0.iter().map(line).collect();
        self.add(SUMS, sums);
        self
    }

    /// Returns the content of a file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(|file| file.bytes.as_slice())
    }

    /// By path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &File)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The paths that a list of sums names.
    #[must_use]
    pub fn listed(sums: &str) -> BTreeSet<String> {
        let name = |line: &str| line.split_once("  ").map(|(_, path)| path.to_owned());
        sums.lines().filter_map(name).collect()
    }

    /// Lists the differences of a directory whose files `read` gives.
    pub fn drift(&self, read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<Drift> {
        let listed = read(SUMS).map(|sums| Self::listed(&String::from_utf8_lossy(&sums)));
        let left = listed.unwrap_or_default().into_iter();
        let left = left.filter(|path| !self.0.contains_key(path) && read(path).is_some());
        let differs = self.0.iter().filter_map(|(path, file)| match read(path) {
            None => Some(Drift::Missing(path.clone())),
            Some(bytes) if bytes != file.bytes => Some(Drift::Changed(path.clone())),
            Some(_) => None,
        });
        differs.chain(left.map(Drift::Left)).collect()
    }
}
