//! Access to what git knows of a file, through its command: its content in a revision, and the commit that is checked
//! out. Nothing is written: no lock, no index, no fetch.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::exit::Failure;

/// Variables in which a hook or another git above us describes its own repository, after `git rev-parse
/// --local-env-vars`, and those that change how paths are read.
const NOISE: [&str; 20] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_WORK_TREE",
];

/// A commit of the repository that a plan is in.
#[derive(Debug)]
pub(super) struct Revision {
    /// Name as it was typed.
    name: String,
    /// The top of the working tree, without links.
    root: PathBuf,
    commit: String,
}

impl Revision {
    /// Looks a revision up in the repository around a file.
    pub(super) fn of(name: &str, file: &Path) -> Result<Self, Failure> {
        let file = real(file)?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        let top = git(folder, &["rev-parse", "--show-toplevel"])?
            .map_err(|why| Failure::Usage(format!("--against git:{name}: {why}")))?;
        let root = real(Path::new(&path(top)))?;
        let commit = |name: &str| {
            let object = format!("{name}^{{commit}}");
            let words = [
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &object,
            ];
            git(&root, &words)
        };
        if let Ok(commit) = commit(name)? {
            let commit = String::from_utf8_lossy(&commit).trim().to_owned();
            let name = name.to_owned();
            return Ok(Self { name, root, commit });
        }
        // A checkout of one branch alone has the others only under `origin/`.
        let remote = format!("origin/{name}");
        let help = match commit(&remote)? {
            Ok(_) => format!("did you mean `git:{remote}`?"),
            Err(_) => {
                "fetch it first: `git fetch origin BRANCH`; a shallow checkout lacks most revisions"
                    .to_owned()
            }
        };
        Err(Failure::Usage(format!(
            "--against git:{name}: the repository {} has no revision `{name}`; {help}",
            root.display()
        )))
    }

    /// Returns true if a file is in this repository at all, today.
    pub(super) fn holds(&self, file: &Path) -> Result<bool, Failure> {
        Ok(real(file)?.starts_with(&self.root))
    }

    /// The bytes of a file as they were; none where there was no such file.
    pub(super) fn read(&self, file: &Path) -> Result<Option<Vec<u8>>, Failure> {
        let file = real(file)?;
        let Ok(inside) = file.strip_prefix(&self.root) else {
            return Ok(None);
        };
        let fail = |why: String| Failure::Io {
            path: self.label(inside).into(),
            source: std::io::Error::other(why),
        };
        let words: [&OsStr; 7] = [
            "--literal-pathspecs".as_ref(),
            "ls-tree".as_ref(),
            "-z".as_ref(),
            "--full-tree".as_ref(),
            self.commit.as_ref(),
            "--".as_ref(),
            inside.as_ref(),
        ];
        let listed = git(&self.root, &words)?.map_err(fail)?;
        let listed = String::from_utf8_lossy(&listed);
        // `100644 blob <id>\t<path>`; a link is a blob of its own kind, and a folder is no file.
        let mut entry = listed.split('\t').next().unwrap_or_default().split(' ');
        match (entry.next(), entry.next(), entry.next()) {
            (Some("100644" | "100755"), Some("blob"), Some(id)) => {
                git(&self.root, &["cat-file", "blob", id])?
                    .map(Some)
                    .map_err(fail)
            }
            (Some("120000"), ..) => Err(fail("was a symbolic link in this revision".to_owned())),
            _ => Ok(None),
        }
    }

    /// Returns the name of a file of the revision in findings.
    pub(super) fn label(&self, file: &Path) -> String {
        let real = real(file).unwrap_or_else(|_| file.to_owned());
        let inside = real.strip_prefix(&self.root).unwrap_or(file);
        format!("git:{}:{}", self.name, inside.display())
    }
}

/// The commit that is checked out where a file lies, with `-dirty` behind it where the file is other than there; none
/// where git or a repository is missing.
pub(super) fn checked_out(file: &Path) -> Option<String> {
    let file = real(file).ok()?;
    let folder = file.parent()?;
    let text = |words: &[&OsStr]| {
        let printed = git(folder, words).ok()?.ok()?;
        Some(String::from_utf8_lossy(&printed).trim().to_owned())
    };
    let head = text(&["rev-parse".as_ref(), "--verify".as_ref(), "HEAD".as_ref()])?;
    let changes = text(&[
        "--literal-pathspecs".as_ref(),
        "status".as_ref(),
        "--porcelain".as_ref(),
        "--".as_ref(),
        file.file_name()?,
    ])?;
    Some(if changes.is_empty() {
        head
    } else {
        format!("{head}-dirty")
    })
}

/// A path without links; of a file that is there no more, that of its folder.
fn real(file: &Path) -> Result<PathBuf, Failure> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    std::fs::canonicalize(file)
        .or_else(|err| match file.file_name() {
            Some(name) if err.kind() == std::io::ErrorKind::NotFound => {
                Ok(std::fs::canonicalize(folder)?.join(name))
            }
            _ => Err(err),
        })
        .map_err(|source| Failure::Io {
            path: file.to_owned(),
            source,
        })
}

#[cfg(unix)]
fn path(mut bytes: Vec<u8>) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    OsString::from_vec(bytes)
}

#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes)
        .trim_end_matches(['\r', '\n'])
        .into()
}

/// Runs a git command; returns what it prints, or why it failed, in its own words.
fn git<W: AsRef<OsStr>>(folder: &Path, words: &[W]) -> Result<Result<Vec<u8>, String>, Failure> {
    let mut command = Command::new("git");
    for name in NOISE {
        command.env_remove(name);
    }
    let output = command
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .arg("-C")
        .arg(folder)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Io {
            path: "git".into(),
            source,
        })?;
    if output.status.success() {
        return Ok(Ok(output.stdout));
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let why = text.lines().find(|line| !line.trim().is_empty());
    let why = why
        .unwrap_or("git says no more")
        .trim_start_matches("fatal: ");
    Ok(Err(why.to_owned()))
}
