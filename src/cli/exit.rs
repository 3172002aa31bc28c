//! Exit codes, and whose fault it is when something fails.
//!
//! The table in `docs/exit-codes.md` is compared with [`Exit::ALL`] by a test.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

use super::files;
use crate::backup::ApiError;
use crate::cleanup;
use crate::diagnostic::{Finding, Findings};
use crate::execute::Stopped;
use crate::journal;
use crate::state::JournalError;

/// Exit status of redrill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is done.
    Done,
    /// The disk, the network or AWS failed.
    Unexpected,
    /// Something differs from what the plan is held against, and whoever typed the command wants to know.
    ChangesPresent,
    /// The plan is invalid, or stands against what its run has started.
    Invalid,
    /// Something still runs, or was not started; run again to go on.
    Unfinished,
    /// A restore or a check has failed.
    Failed,
    /// Everything is back, but not as the objectives want it.
    ObjectiveMissed,
    /// A check before anything is sent has failed, or something that was to be proven is not.
    NotReady,
    /// Another runner holds this run.
    Held,
    /// The command line means nothing.
    Usage,
    /// Interrupted by Ctrl-C.
    Interrupted,
    /// Terminated.
    Terminated,
}

impl Exit {
    /// Every exit, with its code and what the documents say of it.
    pub const ALL: [(Self, u8, &'static str); 12] = [
        (Self::Done, 0, "done"),
        (
            Self::Unexpected,
            1,
            "unexpected failure: the disk, the network or AWS",
        ),
        (
            Self::ChangesPresent,
            2,
            "changes present, only with `--detailed-exitcode` or `export --check`",
        ),
        (
            Self::Invalid,
            4,
            "the plan is invalid, or conflicts with what its run has already started",
        ),
        (
            Self::Unfinished,
            5,
            "the run is not finished: stopped or detached; run again to continue",
        ),
        (Self::Failed, 6, "a restore or check failed"),
        (Self::ObjectiveMissed, 7, "an objective was missed"),
        (
            Self::NotReady,
            8,
            "not ready: a preflight check failed, too little is proven, or a drill was missed",
        ),
        (Self::Held, 10, "another runner holds this run"),
        (Self::Usage, 64, "the command line is wrong"),
        (Self::Interrupted, 130, "interrupted by a second Ctrl-C"),
        (
            Self::Terminated,
            143,
            "terminated by a second SIGTERM or SIGHUP",
        ),
    ];

    /// Its code.
    #[must_use]
    pub fn code(self) -> u8 {
        Self::ALL
            .iter()
            .find(|(exit, _, _)| *exit == self)
            .map_or(1, |(_, code, _)| *code)
    }
}

impl From<Findings> for Failure {
    fn from(findings: Findings) -> Self {
        Self::Findings(findings.into_sorted())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Reason why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The author of the plan: everything that is wrong with it.
    #[error("the plan is invalid")]
    Findings(Vec<Finding>),
    /// Whoever changed a plan whose run has begun.
    #[error("{0}")]
    Conflict(String),
    /// Whoever typed the command.
    #[error("{0}")]
    Usage(String),
    /// The disk.
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// AWS, the network or the caller's permissions, before anything was sent.
    #[error("{0}")]
    Aws(ApiError),
    /// AWS, the network or the caller's permissions, in a run of which nothing goes on at AWS.
    #[error("{0}")]
    Idle(ApiError),
    /// A caller of another account than the plan's.
    #[error("{0}")]
    Account(String),
    /// Another runner, who works on the run.
    #[error("{message}")]
    Held {
        /// Who.
        message: String,
        /// Command that shows what they do.
        status: String,
    },
    /// Another runner, who works on the run now.
    #[error("{message}")]
    TakenOver {
        /// Who.
        message: String,
        /// Command that shows what they do.
        status: String,
    },
    /// Another runner, who has ended the run between two looks at it.
    #[error("another runner has ended this run meanwhile; run the same command again")]
    Again,
    /// Another runner, the disk, or a damaged journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The run could not go on.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Whoever changed a bundle of evidence.
    #[error("{0}")]
    Mismatch(String),
    /// Signatures of a bundle that do not say what was asked for; the bundle itself is good.
    #[error("{message}")]
    Signatures {
        /// Fault.
        message: String,
        /// Advice.
        help: String,
    },
    /// Whoever changed a ledger other than by `prove`.
    #[error("{0}")]
    Ledger(String),
    /// A cleanup could not go on.
    #[error(transparent)]
    Cleanup(#[from] cleanup::CleanupStopped),
    /// The machine: no runtime, no socket.
    #[error("{0}")]
    System(String),
}

/// Returns true if the command line, or the environment, names a profile that is not there.
fn is_without_profile(error: &ApiError) -> bool {
    error.code.as_deref() == Some(crate::aws::NO_PROFILE)
}

/// Returns advice on a disk failure, by the number that ends the system's message.
fn of_disk(says: &str, otherwise: &'static str) -> &'static str {
    let number = says.rsplit_once("(os error ").map(|(_, rest)| rest);
    let number = number.and_then(|rest| rest.split(')').next()?.parse().ok());
    let Some(number) = number else {
        return otherwise;
    };
    match io::Error::from_raw_os_error(number).kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only: make it writable",
        ErrorKind::PermissionDenied => "check the permissions of this path",
        ErrorKind::NotFound => "check that the path exists",
        ErrorKind::NotADirectory => "a part of this path is a file, not a directory: check it",
        ErrorKind::IsADirectory => "this path is a directory: give a file",
        _ => otherwise,
    }
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Findings(_) | Self::Conflict(_) | Self::Stopped(Stopped::Changed { .. }) => {
                Exit::Invalid
            }
            Self::Usage(_) => Exit::Usage,
            Self::Aws(error) if is_without_profile(error) => Exit::Usage,
            Self::Mismatch(_) | Self::Signatures { .. } | Self::Ledger(_) => Exit::Failed,
            Self::Held { .. } | Self::TakenOver { .. } => Exit::Held,
            Self::Again => Exit::Unfinished,
            Self::Journal(journal::Error::Held { .. })
            | Self::Stopped(Stopped::Journal(JournalError::TakenOver))
            | Self::Cleanup(cleanup::CleanupStopped::Journal(JournalError::TakenOver)) => {
                Exit::Held
            }
            Self::Stopped(
                Stopped::Ambiguous { .. }
                | Stopped::Duplicate { .. }
                | Stopped::TooLongAgo { .. }
                | Stopped::NoSuchJob { .. },
            ) => Exit::Unfinished,
            // A double restore has not gone as it should, whoever did it; reports say `failed` for the same reason.
            Self::Stopped(Stopped::SecondJob { .. }) => Exit::Failed,
            Self::Io { .. }
            | Self::Aws(_)
            | Self::Idle(_)
            | Self::Account(_)
            | Self::Journal(_)
            | Self::Stopped(_)
            | Self::Cleanup(_)
            | Self::System(_) => Exit::Unexpected,
        }
    }

    /// Returns advice on the failure.
    pub(super) fn help(&self) -> Option<String> {
        Some(match self {
            Self::Findings(_)
            | Self::Conflict(_)
            | Self::Usage(_)
            | Self::System(_)
            | Self::Again => return None,
            Self::Held { status, .. } => format!(
                "wait for it, or stop it; --take-over takes the run from a runner that is stuck. What it does: {status}"
            ),
            Self::TakenOver { status, .. } => {
                format!("this process sends and writes nothing more. What the other does: {status}")
            }
            Self::Mismatch(_) => {
                "this is not the bundle that redrill has made: get it again from where it came from".to_owned()
            }
            Self::Signatures { help, .. } => help.clone(),
            Self::Ledger(_) => {
                "nothing was written; `git log -p` of the file shows who changed it: restore the lines as they were committed"
                    .to_owned()
            }
            Self::Cleanup(_) => {
                "what was requested continues at AWS; run the same command again: it looks at what is left"
                    .to_owned()
            }
            Self::Io { path, source } => {
                let help = of_disk(&source.to_string(), "check the path and its permissions");
                let near = match source.kind() {
                    ErrorKind::NotFound | ErrorKind::IsADirectory => files::near(path),
                    _ => None,
                };
                match near {
                    Some(near) => format!("{help}; did you mean {}?", near.display()),
                    None => help.to_owned(),
                }
            }
            Self::Aws(error) if is_without_profile(error) => {
                "nothing was sent; profiles are looked for in ~/.aws/config and ~/.aws/credentials, or in the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name; `aws configure list-profiles` lists them"
                    .to_owned()
            }
            Self::Aws(_) => "nothing was sent; run the same command again".to_owned(),
            Self::Idle(_) => {
                "no job of this run is running at AWS; run the same command again to continue"
                    .to_owned()
            }
            Self::Account(_) => {
                "nothing was sent; use credentials of the target account, or correct `target.account`"
                    .to_owned()
            }
            Self::Journal(journal::Error::Held { .. }) => {
                "wait for it, or stop it; `redrill status` shows what it does; --take-over takes the run from a runner that is stuck"
                    .to_owned()
            }
            Self::Journal(journal::Error::Io { source, .. }) => {
                let why = of_disk(&source.to_string(), "check the disk");
                format!("nothing was sent; {why}, or choose another directory with --state")
            }
            Self::Journal(journal::Error::Store { .. }) => {
                "check the bucket, its Region, your permissions and this machine's clock; `redrill state check` tries them".to_owned()
            }
            Self::Journal(journal::Error::NotAFile { .. }) => {
                "nothing was sent; see what has put it there, and remove it".to_owned()
            }
            Self::Journal(journal::Error::Damaged { .. }) => {
                "nothing was sent; restore the file from a copy: what follows this byte is not known to redrill"
                    .to_owned()
            }
            Self::Journal(journal::Error::Newer { .. }) => {
                "nothing was sent; use the redrill that wrote it, or a later one".to_owned()
            }
            Self::Stopped(Stopped::Ambiguous { .. }) => {
                "nothing was sent again; look at these jobs in AWS Backup, then run again with --adopt=JOB to take one for this restore, or with --start-anyway if none is"
                    .to_owned()
            }
            Self::Stopped(Stopped::Duplicate { .. }) => {
                "nothing was sent for it; look at it in AWS Backup, then run again with --adopt to take it for this restore (--adopt=JOB, which may be given again, takes only those), or with --start-anyway to start another"
                    .to_owned()
            }
            Self::Stopped(Stopped::Changed { .. }) => {
                "nothing was sent for it; its job has the mark of this run and restore: undo the change in the plan and run \
                 again, which takes the job up, or give the new request another --run-id; --start-anyway starts another job"
                    .to_owned()
            }
            Self::Stopped(Stopped::SecondJob { .. }) => {
                "nothing more was started; somebody else runs this run, such as on another machine without shared state: stop one of \
                 the two, look at both jobs in AWS Backup and delete what one of them makes, then run again: it finds what was started"
                    .to_owned()
            }
            Self::Stopped(Stopped::TooLongAgo { .. }) => {
                "nothing was sent; look for what it would have made: run again with --start-anyway if it is not there, or with \
                 another --run-id"
                    .to_owned()
            }
            Self::Stopped(Stopped::NoSuchJob { .. }) => {
                "check account, Region and endpoint first; run again with --adopt=JOB to take another job for this restore, or \
                 with --start-anyway to count this one as failed, which --retry-failed then starts again"
                    .to_owned()
            }
            Self::Stopped(Stopped::Journal(JournalError::TakenOver)) => {
                "this process sends and writes nothing more; `redrill status` shows what the other does"
                    .to_owned()
            }
            Self::Stopped(Stopped::Journal(JournalError::Disk(text))) => {
                let why = match text.starts_with("s3://") {
                    true => "check the bucket and your permissions",
                    false => of_disk(text, "check the disk"),
                };
                format!(
                    "nothing more was sent; {why}, then run the same command again: it finds the jobs that were started"
                )
            }
            Self::Stopped(Stopped::Aws(_)) => {
                "jobs that were started continue at AWS; run the same command again: it finds them"
                    .to_owned()
            }
            Self::Stopped(Stopped::Illegal(_)) => {
                "please report it; the journal is unharmed".to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn first_contact_b7_room_is_made_only_where_there_is_none() {
        let of = |number| {
            let source = io::Error::from_raw_os_error(number);
            let error = journal::Error::Io {
                path: ".redrill".into(),
                source,
            };
            Failure::Journal(error).help().unwrap()
        };
        assert!(of(28).contains("make room"), "ENOSPC");
        for (number, name, says) in [
            (30, "EROFS", "read-only"),
            (2, "ENOENT", "exists"),
            (13, "EACCES", "permissions"),
        ] {
            assert!(of(number).contains(says), "{name}");
            assert!(!of(number).contains("room"), "{name}");
        }
    }
}
