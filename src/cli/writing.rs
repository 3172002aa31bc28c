//! Files that a command writes: one rule for all of them.
//!
//! What is no regular file (`/dev/null`, `/dev/stdout`, a pipe) is written through. A link is followed: its target is
//! replaced, and the link stays. A regular file is replaced whole or not at all, in its own directory and with its own
//! mode, and only where redrill has written it: what somebody else has made is never written over by a slip of the
//! fingers.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::files;
use crate::diff::Saved;
use crate::inventory::{self, RecordedInventory};
use crate::report::Format;

/// Bytes at the beginning of a file by which it is recognised; a saved plan names its kind in the first 200.
const HEAD: u64 = 64 << 10;
/// Links that lead to links, as many as Linux follows.
const LINKS: usize = 40;

/// Kind of a file to write, which decides what the file may replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputKind {
    /// A bundle; never in place of anything.
    Evidence,
    /// An inventory; one without a recovery point does not take the place of one that has some.
    Inventory {
        /// Number of its recovery points; not known before it is made.
        points: Option<usize>,
    },
    /// Meaning of selectors.
    Lock,
    /// OSCAL assessment results of a bundle.
    Oscal,
    /// A plan to start from; people go on writing it, so never in place of anything.
    Plan,
    /// Program that a plan runs; people go on writing it, so never in place of anything.
    Program,
    /// A report of a run.
    Report,
    /// A dry run to be carried out; others than its owner do not read it.
    SavedPlan,
    /// Signatures of a bundle, to which others were added.
    Signatures,
}

impl OutputKind {
    fn words(self) -> &'static str {
        match self {
            Self::Evidence => "a bundle of evidence",
            Self::Inventory { .. } => "an inventory that redrill recorded",
            Self::Lock => "a lock file",
            Self::Oscal => "OSCAL assessment results of redrill",
            Self::Plan => "a plan that `redrill init` may replace",
            Self::Program => "a program that `redrill init` may replace",
            Self::Report => "a report of redrill",
            Self::SavedPlan => "a saved plan",
            Self::Signatures => "signatures of a bundle",
        }
    }

    /// Returns true if redrill wrote the file that begins like this, as one of this kind.
    fn wrote(self, head: &str) -> bool {
        match self {
            Self::Evidence | Self::Plan | Self::Program => false,
            Self::Inventory { .. } => head.starts_with(inventory::HEADER),
            // By its name, beside the plan: one that is broken is mended by being written again.
            Self::Lock => true,
            Self::Report => Format::wrote(head),
            Self::SavedPlan => Saved::is_one(head),
            Self::Oscal => head.contains("\"assessment-results\""),
            // Signatures are read as such, whole, before the file is written with one more.
            Self::Signatures => head.starts_with('{'),
        }
    }

    /// The mode of a file that is not there yet; the umask takes from it.
    #[cfg(unix)]
    fn mode(self) -> u32 {
        match self {
            Self::SavedPlan => 0o600,
            Self::Program => 0o777,
            _ => 0o666,
        }
    }
}

/// Returns true if a text begins like a plan that people write: only a plan may replace it, `--force` or not. A lock
/// file has a version.
fn is_plan(head: &str) -> bool {
    let has = |key: &str| head.lines().any(|line| line.starts_with(key));
    has("plan:") && has("restores:") && !has("version:")
}

/// A file that was asked for, by its path as it was typed.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputFile<'a> {
    path: &'a Path,
    kind: OutputKind,
    force: bool,
}

/// Destination of the bytes.
enum OutputDestination {
    /// The very file that standard output is; opened a second time, one would write over the other.
    Stdout,
    Stderr,
    /// No regular file: it stays what it is.
    Through,
    /// A regular file, links followed, and what is there.
    File(PathBuf, Option<Metadata>),
}

impl<'a> OutputFile<'a> {
    pub(super) fn new(path: &'a Path, kind: OutputKind) -> Self {
        Self {
            path,
            kind,
            force: false,
        }
    }

    /// With `--force`: in place of whatever is there.
    pub(super) fn forced(self, force: bool) -> Self {
        Self { force, ..self }
    }

    fn fail(&self, source: io::Error) -> Failure {
        Failure::Io {
            path: self.path.to_owned(),
            // The path that an error of a temporary file names is of no use to anybody.
            source: match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => source.kind().into(),
            },
        }
    }

    /// Checks that the file could be written, before much work is done for it.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.place().map(|_| ())
    }

    fn place(&self) -> Result<OutputDestination, Failure> {
        if self.kind == OutputKind::Report && self.path == Path::new("-") {
            return Ok(OutputDestination::Stdout);
        }
        let there = match std::fs::metadata(self.path) {
            Ok(there) => Some(there),
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => return Err(self.fail(err)),
        };
        match &there {
            Some(there) if is_open_as(there, &io::stdout()) => {
                return Ok(OutputDestination::Stdout);
            }
            Some(there) if is_open_as(there, &io::stderr()) => {
                return Ok(OutputDestination::Stderr);
            }
            Some(there) if there.is_dir() => {
                return Err(self.fail(io::ErrorKind::IsADirectory.into()));
            }
            Some(there) if !there.is_file() => return Ok(OutputDestination::Through),
            _ => {}
        }
        let path = followed(self.path).map_err(|err| self.fail(err))?;
        match &there {
            Some(there) if there.len() > 0 => self.may_replace(&path)?,
            Some(_) => {}
            None => {
                let folder = folder_of(&path);
                match std::fs::metadata(folder) {
                    Ok(there) if there.is_dir() => {}
                    Ok(_) => return Err(self.fail(io::ErrorKind::NotADirectory.into())),
                    Err(source) => {
                        return Err(Failure::Io {
                            path: folder.to_owned(),
                            source,
                        });
                    }
                }
            }
        }
        Ok(OutputDestination::File(path, there))
    }

    /// Refuses to write over what this command has not made.
    fn may_replace(&self, path: &Path) -> Result<(), Failure> {
        let mut head = Vec::new();
        File::open(path)
            .and_then(|file| file.take(HEAD).read_to_end(&mut head))
            .map_err(|err| self.fail(err))?;
        let head = String::from_utf8_lossy(&head);
        let name = self.path.display();
        if self.force && (self.kind == OutputKind::Plan || !is_plan(&head)) {
            return Ok(());
        }
        if is_plan(&head) && !matches!(self.kind, OutputKind::Plan | OutputKind::Lock) {
            return Err(Failure::Usage(format!(
                "{name}: this file is a plan, not {}, and is not overwritten; give another name",
                self.kind.words()
            )));
        }
        if matches!(self.kind, OutputKind::Plan) {
            return Err(Failure::Usage(format!(
                "{name} exists, and is not overwritten without --force"
            )));
        }
        if !self.kind.wrote(&head) {
            let force = match self.kind {
                OutputKind::Inventory { .. } => ", or --force to replace it",
                _ => ", or remove the file",
            };
            return Err(Failure::Usage(format!(
                "{name}: this file is not {}, and is not overwritten; give another name{force}",
                self.kind.words()
            )));
        }
        if let OutputKind::Inventory { points: Some(0) } = self.kind {
            let old = files::text(path)?;
            let had = RecordedInventory::parse(&old).map_or(0, |recorded| recorded.all().len());
            if had > 0 {
                return Err(Failure::Usage(format!(
                    "{name} holds {had} recovery points, and none were found now: it is left as it is; \
                     look at the account, the Region and the vaults that were asked, or give --force"
                )));
            }
        }
        Ok(())
    }

    /// Writes it.
    pub(super) fn write(&self, content: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.write_with(|out| out.write_all(content.as_ref()))
    }

    /// Writes it as it is made.
    pub(super) fn write_with(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = match self.place()? {
            OutputDestination::Stdout => into(&mut io::stdout().lock(), write),
            OutputDestination::Stderr => into(&mut io::stderr().lock(), write),
            OutputDestination::Through => {
                through(self.path).and_then(|mut file| into(&mut file, write))
            }
            OutputDestination::File(path, there) => {
                return self.replace(&path, there.as_ref(), write);
            }
        };
        match written {
            // Nobody listens to the end, as with `| head`.
            Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|err| self.fail(err)),
        }
    }

    /// Whole or not at all, where the directory lets a file be made beside it; else in place.
    fn replace(
        &self,
        path: &Path,
        there: Option<&Metadata>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut file = match self.beside(path, there) {
            Ok(file) => file,
            Err(err) if there.is_some() && is_in_the_way(&err) => {
                return OpenOptions::new()
                    .write(true)
                    .truncate(true)
                    .open(path)
                    .and_then(|mut file| into(&mut file, write))
                    .map_err(|err| self.fail(err));
            }
            Err(err) => return Err(self.fail(err)),
        };
        into(&mut file, write).map_err(|err| self.fail(err))?;
        file.as_file().sync_all().map_err(|err| self.fail(err))?;
        // A file that has appeared meanwhile is somebody else's.
        let kept = match there {
            Some(_) => file.persist(path),
            None => file.persist_noclobber(path),
        };
        let Err(err) = kept else {
            return Ok(());
        };
        if err.error.kind() == io::ErrorKind::AlreadyExists {
            return Err(Failure::Usage(format!(
                "{} has appeared meanwhile, and is not overwritten",
                self.path.display()
            )));
        }
        if !is_in_the_way(&err.error) {
            return Err(self.fail(err.error));
        }
        // A file that is mounted by itself, as containers do, cannot be replaced, and can be written.
        let mut made = err.file;
        io::Seek::rewind(&mut made)
            .and_then(|()| {
                let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
                io::copy(&mut made, &mut file).map(|_| ())
            })
            .map_err(|err| self.fail(err))
    }

    /// The mode that it gets: that of the file whose place it takes. One that is empty was made by `touch` or a shell, which
    /// let everybody read it: a saved plan in it is its owner's all the same.
    #[cfg(unix)]
    fn mode(&self, there: Option<&Metadata>) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        let own = self.kind.mode();
        let Some(there) = there else {
            return own;
        };
        let mode = there.permissions().mode() & 0o7777;
        match self.kind {
            OutputKind::SavedPlan if there.len() == 0 => mode & own,
            _ => mode,
        }
    }

    /// A file beside another, to take its place.
    #[cfg_attr(
        not(unix),
        expect(unused_variables, reason = "files have no mode there")
    )]
    fn beside(&self, path: &Path, there: Option<&Metadata>) -> io::Result<tempfile::NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = self.mode(there);
            builder.permissions(std::fs::Permissions::from_mode(mode));
        }
        let file = builder.tempfile_in(folder_of(path))?;
        #[cfg(unix)]
        if let Some(there) = there {
            use std::os::unix::fs::{MetadataExt, PermissionsExt};
            // The umask is for new files, and the owner stays where we may say so.
            let _ = std::os::unix::fs::chown(file.path(), Some(there.uid()), Some(there.gid()));
            let mode = std::fs::Permissions::from_mode(self.mode(Some(there)));
            file.as_file().set_permissions(mode)?;
        }
        Ok(file)
    }
}

/// Opens what is no regular file. Of a pipe that nobody reads it is tried for a while: an open that waits cannot be ended.
#[cfg(unix)]
fn through(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    const TRIES: u32 = 100;
    const APART: std::time::Duration = std::time::Duration::from_millis(100);
    let at_once = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut tries = 0;
    loop {
        let tried = OpenOptions::new()
            .write(true)
            .custom_flags(at_once)
            .open(path);
        match tried {
            // While it is held open somebody reads, and the one that is written through waits for them.
            Ok(_held) => return OpenOptions::new().write(true).open(path),
            Err(err) if err.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                tries += 1;
                if tries == TRIES {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "nobody reads this pipe",
                    ));
                }
                std::thread::sleep(APART);
            }
            Err(err) => return Err(err),
        }
    }
}

#[cfg(not(unix))]
fn through(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// Reports, each checked before anything starts; two cannot be one file.
pub(super) fn check_reports(reports: &[(Format, PathBuf)]) -> Result<(), Failure> {
    for (at, (_, path)) in reports.iter().enumerate() {
        if reports[..at].iter().any(|(_, other)| other == path)
            && std::fs::metadata(path).map_or(true, |there| there.is_file())
        {
            return Err(Failure::Usage(format!(
                "two reports cannot be written into one file: {}",
                path.display()
            )));
        }
        OutputFile::new(path, OutputKind::Report).check()?;
    }
    Ok(())
}

fn into(
    out: &mut dyn Write,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    write(&mut out)?;
    out.flush()
}

/// Returns true if the directory, or what is mounted there, forbids replacing a file that may still be written.
fn is_in_the_way(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices
    )
}

/// Follows the links of a path, even to a target that is not there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match std::fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links lead to one another"))
}

/// Returns true if a file is the one that a stream of this process leads to.
#[cfg(unix)]
fn is_open_as(there: &Metadata, stream: &impl std::os::fd::AsFd) -> bool {
    use std::os::unix::fs::MetadataExt;
    let open = stream.as_fd().try_clone_to_owned().map(File::from);
    open.and_then(|open| open.metadata())
        .is_ok_and(|open| open.dev() == there.dev() && open.ino() == there.ino())
}

#[cfg(not(unix))]
fn is_open_as<S>(_: &Metadata, _: &S) -> bool {
    false
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes files below a directory that is not there yet, or empty.
pub(super) fn write_tree(
    directory: &Path,
    tree: &std::collections::BTreeMap<String, Vec<u8>>,
) -> Result<(), Failure> {
    let is_there = directory.exists();
    let place = match directory.file_name() {
        // An empty directory that exists may be where nothing can be renamed to.
        Some(name) if !is_there => {
            let name = format!(".{}.{}.part", name.to_string_lossy(), std::process::id());
            directory.with_file_name(name)
        }
        _ => directory.to_owned(),
    };
    let written = fill(&place, tree).and_then(|()| match is_there {
        true => Ok(()),
        false => std::fs::rename(&place, directory),
    });
    written.map_err(|source| {
        // Half of it would pass for the whole, and be in the way of the next attempt. What cannot be removed stays.
        for entry in place.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
        }
        if !is_there {
            let _ = std::fs::remove_dir(&place);
        }
        Failure::Io {
            path: directory.to_owned(),
            source,
        }
    })
}

/// Writes the files of a tree, each of which is new.
fn fill(place: &Path, tree: &std::collections::BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    std::fs::create_dir_all(place)?;
    for (name, content) in tree {
        let path = place.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        file.write_all(content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn first_contact_a_tree_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = folder.path().read_dir().unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect::<Vec<_>>()
        };
        let tree = |names: &[&str]| {
            let files = names.iter().map(|name| ((*name).to_owned(), b"x".to_vec()));
            files.collect::<BTreeMap<_, _>>()
        };
        let directory = folder.path().join("evidence");
        // A file is where a directory would have to be: as good as a full disk.
        let broken = tree(&["a", "a/b"]);
        assert!(write_tree(&directory, &broken).is_err());
        assert_eq!(names(), Vec::<String>::new());
        // One that was there stays, and is empty again.
        std::fs::create_dir(&directory).unwrap();
        assert!(write_tree(&directory, &broken).is_err());
        assert_eq!(directory.read_dir().unwrap().count(), 0);
        assert!(write_tree(&directory, &tree(&["a", "b/c"])).is_ok());
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(write_tree(&directory, &tree(&["a", "b/c"])).is_ok());
        assert_eq!(names(), ["evidence"]);
        assert_eq!(files::bytes(&directory.join("b/c")).unwrap(), b"x");
    }
}
