//! The directory of an export: nothing in it that the export did not make is touched, and an earlier one is replaced whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::exit::Failure;
use crate::export::Files;
use crate::plan::sha256;

/// Reader of the files of a directory.
type FileReading<'r> = &'r dyn Fn(&str) -> Option<Vec<u8>>;

/// Directory that an export is written to.
pub(super) struct ExportFolder<'a> {
    path: &'a Path,
    /// Entry that users of the export keep in it.
    kept: &'static str,
    /// Check that an export may replace what is there; the error says why not.
    may_replace: fn(&Files, FileReading<'_>) -> Result<(), String>,
}

/// The files of a directory; none for a path that leads out of it.
#[expect(clippy::disallowed_methods, reason = "src/cli reads files")]
pub(super) fn reader(folder: &Path) -> impl Fn(&str) -> Option<Vec<u8>> {
    let folder = folder.to_owned();
    move |path| is_within(path).then(|| fs::read(folder.join(path)).ok())?
}

/// Explains what is wrong with a directory that has an export and lost the list of its sums; none if it has no export.
pub(super) fn without_sums(folder: &Path) -> Option<String> {
    let made = ["restore.sh", "kit.json"];
    let here = folder.display();
    made.iter().any(|path| folder.join(path).exists()).then(|| {
        format!(
            "{here} has an export whose {} is missing, so nobody can tell what in it was edited; get that file back, or export into \
             another directory; a kit with which something was started keeps what it knows in {here}/state: move that over",
            Files::SUMS
        )
    })
}

/// Returns true if a path of a list of sums stays in its directory.
fn is_within(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}

impl<'a> ExportFolder<'a> {
    /// A directory, that what uses the export keeps, and what may be replaced in it.
    pub(super) fn new(
        path: &'a Path,
        kept: &'static str,
        may_replace: fn(&Files, FileReading<'_>) -> Result<(), String>,
    ) -> Self {
        Self {
            path,
            kept,
            may_replace,
        }
    }

    /// Returns the path of the directory.
    pub(super) fn path(&self) -> &Path {
        self.path
    }

    /// Writes an export; the list of sums comes last.
    #[expect(clippy::disallowed_methods, reason = "src/cli writes files")]
    pub(super) fn write(&self, files: &Files) -> Result<(), Failure> {
        let listed = self.is_free_for(files)?;
        for path in listed
            .iter()
            .filter(|path| !files.iter().any(|(of, _)| of == *path))
        {
            let path = self.path.join(path);
            removed(&path).map_err(failure(&path))?;
            // Only where nothing else is in it.
            if let Some(parent) = path.parent().filter(|parent| *parent != self.path) {
                let _ = fs::remove_dir(parent);
            }
        }
        let (last, others): (Vec<_>, Vec<_>) =
            files.iter().partition(|(path, _)| *path == Files::SUMS);
        for (path, file) in others.into_iter().chain(last) {
            let path = self.path.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failure(parent))?;
            }
            // A link is replaced, not followed.
            removed(&path).map_err(failure(&path))?;
            fs::write(&path, &file.bytes).map_err(failure(&path))?;
            #[cfg(unix)]
            if file.is_executable {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::Permissions::from_mode(0o755);
                fs::set_permissions(&path, mode).map_err(failure(&path))?;
            }
        }
        Ok(())
    }

    /// The files of the earlier export, where everything that would be replaced is of it and as it was written.
    fn is_free_for(&self, files: &Files) -> Result<BTreeSet<String>, Failure> {
        let here = self.path.display();
        let refuse = |why: String| Err(Failure::Usage(why));
        match fs::metadata(self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(failure(self.path)(error)),
            Ok(of) if !of.is_dir() => {
                return refuse(format!("{here} is not a directory; give another"));
            }
            Ok(_) => {}
        }
        let read = reader(self.path);
        let Some(sums) = read(Files::SUMS) else {
            let mut entries = fs::read_dir(self.path).map_err(failure(self.path))?;
            let is_other = |entry: &io::Result<fs::DirEntry>| {
                entry
                    .as_ref()
                    .map_or(true, |entry| entry.file_name() != self.kept)
            };
            return match entries.any(|entry| is_other(&entry)) {
                true => refuse(without_sums(self.path).unwrap_or_else(|| {
                    format!("{here} is not empty and has no earlier export; give another directory")
                })),
                false => Ok(BTreeSet::new()),
            };
        };
        if let Err(why) = (self.may_replace)(files, &read) {
            return refuse(format!("{here} {why}; give another directory"));
        }
        let sums = String::from_utf8_lossy(&sums).into_owned();
        let old: BTreeMap<&str, &str> = sums
            .lines()
            .filter_map(|line| line.split_once("  "))
            .map(|(sum, path)| (path, sum))
            .filter(|(path, _)| is_within(path))
            .collect();
        let new: BTreeMap<&str, String> = files
            .iter()
            .map(|(path, file)| (path, sha256(&file.bytes)))
            .collect();
        let paths: BTreeSet<&str> = old.keys().copied().chain(new.keys().copied()).collect();
        // An interrupted export may have left files that match the new one.
        let is_foreign = |path: &&str| {
            *path != Files::SUMS
                && read(path).is_some_and(|bytes| {
                    let sum = sha256(bytes);
                    old.get(path) != Some(&sum.as_str()) && new.get(path) != Some(&sum)
                })
        };
        let foreign: Vec<String> = paths
            .into_iter()
            .filter(is_foreign)
            .map(str::to_owned)
            .collect();
        match foreign.is_empty() {
            true => Ok(old.into_keys().map(str::to_owned).collect()),
            false => refuse(format!(
                "{here} has files that were edited since they were exported, or are not of an export: {}; move them away, or give another directory",
                foreign.join(", ")
            )),
        }
    }
}

fn removed(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

fn failure(path: &Path) -> impl FnOnce(io::Error) -> Failure + use<> {
    let path: PathBuf = path.to_owned();
    move |source| Failure::Io { path, source }
}
