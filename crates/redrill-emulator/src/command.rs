//! The command line: that of `redrill-emulator`, and of `redrill emulator` and `redrill rehearse`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use redrill_inventory::Inventory;

use super::{Fault, Faults, Options, Quotas, Speed, StartError, TokenSemantics};

/// An emulator that listens until it is told to stop.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Listen here; port 0 picks a free port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    pub listen: SocketAddr,
    /// Speed as a multiple of real time. `max`: skip from event to event
    #[arg(long, value_name = "N|max", default_value = "600")]
    pub speed: Speed,
    /// Serve the vaults and recovery points of this file; repeatable. Without it, any well-formed recovery point exists
    #[arg(long, value_name = "FILE")]
    pub inventory: Vec<PathBuf>,
    /// Account to use unless the access key id is a 12-digit account id
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    #[expect(missing_docs, reason = "clap would print it")]
    #[command(flatten)]
    pub trouble: Trouble,
    /// Append a line of JSON for each request
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Keep jobs and tokens in this file across restarts
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Listen on an address that is not loopback. Dangerous: no signature is checked, so everyone who reaches it can see
    /// what is restored, start and fail jobs, and fill the memory
    #[arg(long)]
    pub expose_without_authentication: bool,
}

/// Difficulties that an emulator makes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Trouble")]
pub struct Trouble {
    /// Throttle calls at AWS's published rates, never, or as a file says
    #[arg(long, value_name = "aws|none|FILE", default_value = "none")]
    pub quotas: PathBuf,
    /// Treat a repeated idempotency token as AWS documents it, or as recorded; docs/emulator.md lists more
    #[arg(long, value_name = "HOW", default_value = "documented")]
    pub tokens: TokenSemantics,
    /// Inject the faults of this file
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Inject a fault, such as `throttle,operation=StartRestoreJob,times=2`; repeatable. docs/emulator.md lists them
    #[arg(long = "fault", value_name = "KIND[,KEY=VALUE]…")]
    pub fault: Vec<Fault>,
}

/// Reason why a file that an argument names was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError<E> {
    /// The reader's own error.
    Unread(E),
    /// Everything that is wrong with the text, each line with the file's name.
    Invalid(String),
}

impl Arguments {
    /// Returns the options of the emulator; `read` reads the text of a file.
    ///
    /// # Errors
    ///
    /// [`FileError`], of the first file that is not taken.
    pub fn options<E>(
        &self,
        read: impl Fn(&Path) -> Result<String, E>,
    ) -> Result<Options, FileError<E>> {
        Ok(Options {
            inventory: inventory(&self.inventory, &read)?,
            speed: self.speed,
            account: self.account.clone(),
            tokens: self.trouble.tokens,
            quotas: self.trouble.quotas(&read)?,
            faults: self.trouble.faults(&read)?,
            log: self.log.clone(),
            state: self.state.clone(),
            exposed: self.expose_without_authentication,
            ..Options::default()
        })
    }

    /// Lists what whoever starts it should know, a line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.listen.ip().is_loopback() {
            notes.push(
                "no signature is checked: everyone who reaches this address can use it".to_owned(),
            );
        }
        let jobs = match self.state {
            Some(_) => "keeps",
            None => "forgets",
        };
        let speed = match self.speed {
            Speed::Times(times) => format!("{times} times as fast"),
            Speed::Max => "as fast as it is asked".to_owned(),
        };
        notes.push(format!(
            "a local AWS Backup, {speed}; Ctrl-C ends it and {jobs} its jobs"
        ));
        notes
    }

    /// Returns what whoever stops it should know, if anything.
    #[must_use]
    pub fn farewell(&self, unlogged: u64) -> Option<String> {
        let path = self.log.as_ref().filter(|_| unlogged > 0)?;
        Some(format!(
            "{}: could not be written, and lacks requests: {unlogged} of them",
            path.display()
        ))
    }
}

impl Trouble {
    /// The quotas that were asked for.
    ///
    /// # Errors
    ///
    /// [`FileError`], where they are a file's that is not taken.
    pub fn quotas<E>(
        &self,
        read: impl Fn(&Path) -> Result<String, E>,
    ) -> Result<Quotas, FileError<E>> {
        let path = &self.quotas;
        match path.to_str() {
            Some("aws") => Ok(Quotas::aws()),
            Some("none") => Ok(Quotas::none()),
            _ => Quotas::parse(&read(path).map_err(FileError::Unread)?)
                .map_err(|err| invalid(path, &err)),
        }
    }

    /// The faults that were asked for: those of the file first.
    ///
    /// # Errors
    ///
    /// [`FileError`], where the file is not taken.
    pub fn faults<E>(
        &self,
        read: impl Fn(&Path) -> Result<String, E>,
    ) -> Result<Faults, FileError<E>> {
        let mut faults = match &self.faults {
            None => Faults::default(),
            Some(path) => Faults::parse(&read(path).map_err(FileError::Unread)?)
                .map_err(|err| invalid(path, &err))?,
        };
        faults.0.extend(self.fault.iter().cloned());
        Ok(faults)
    }
}

/// Reads inventory files as one; nothing where there are none.
///
/// # Errors
///
/// [`FileError`], where one is not taken.
pub fn inventory<E>(
    paths: &[PathBuf],
    read: impl Fn(&Path) -> Result<String, E>,
) -> Result<Option<Inventory>, FileError<E>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let text = read(path).map_err(FileError::Unread)?;
        files.push((path.to_string_lossy(), text));
    }
    let files = files.iter().map(|(name, text)| (&**name, text.as_str()));
    Inventory::of_files(files)
        .map(Some)
        .map_err(FileError::Invalid)
}

/// Tells why the emulator did not start and what to type instead, and whether the command line is at fault.
#[must_use]
pub fn refusal(error: &StartError) -> (String, bool) {
    match error {
        StartError::NotLoopback(_) => (
            format!("{error}, or say --expose-without-authentication and mean it"),
            true,
        ),
        StartError::Account(_) => (error.to_string(), true),
        StartError::File { path, source } => (format!("{}: {source}", path.display()), false),
        StartError::Listen { addr, source } => {
            let free = SocketAddr::new(addr.ip(), 0);
            (
                format!("cannot listen on {addr}: {source}; --listen {free} picks a free port"),
                false,
            )
        }
    }
}

/// The errors of a text begin with line and column, each on a line of its own.
fn invalid<E>(path: &Path, error: &dyn std::fmt::Display) -> FileError<E> {
    let text = error.to_string();
    let lines = text
        .lines()
        .map(|line| format!("{}:{line}", path.display()));
    FileError::Invalid(lines.collect::<Vec<_>>().join("\n"))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write an address and a port, such as 127.0.0.1:45871 or [::1]:0".to_owned())
}
