//! `redrill emulator`

use std::net::SocketAddr;
use std::path::Path;

use super::Context;
use crate::cli::arguments::{Emulator as Arguments, Trouble};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::signals::Signals;
use crate::emulator::{self, Emulator, Faults, Inventory, Quotas, Speed, StartError};

pub(super) async fn emulator(
    arguments: &Arguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let inventory = match &arguments.inventory {
        Some(path) => Some(inventory(path)?),
        None => None,
    };
    let options = emulator::Options {
        inventory,
        speed: arguments.speed,
        account: arguments.account.clone(),
        tokens: arguments.trouble.tokens,
        quotas: quotas(&arguments.trouble)?,
        faults: faults(&arguments.trouble)?,
        log: arguments.log.clone(),
        state: arguments.state.clone(),
        exposed: arguments.expose_without_authentication,
        ..emulator::Options::default()
    };
    let mut signals = Signals::listen();
    let emulator = Emulator::start(arguments.listen, options)
        .await
        .map_err(refused)?;
    context
        .output
        .result(&format!("listening on {}\n", emulator.url()))?;
    if !arguments.listen.ip().is_loopback() {
        context
            .output
            .note("no signature is checked: everyone who reaches this address can use it");
    }
    let jobs = match arguments.state {
        Some(_) => "keeps",
        None => "forgets",
    };
    let speed = match arguments.speed {
        Speed::Times(times) => format!("{times} times as fast"),
        Speed::Max => "as fast as it is asked".to_owned(),
    };
    context.output.note(&format!(
        "a local AWS Backup, {speed}; Ctrl-C ends it and {jobs} its jobs"
    ));
    let _ = signals.control.recv().await;
    let unlogged = emulator.unlogged();
    emulator.shutdown().await;
    if let (Some(path), 1..) = (&arguments.log, unlogged) {
        context.output.note(&format!(
            "{}: could not be written, and lacks requests: {unlogged} of them",
            path.display()
        ));
    }
    Ok(Exit::Done)
}

/// Reads an inventory file.
pub(super) fn inventory(path: &Path) -> Result<Inventory, Failure> {
    Inventory::parse(&files::text(path)?)
        .map_err(|err| Failure::Usage(format!("{}:{err}", path.display())))
}

/// Why it did not start, and whose fault that is.
pub(super) fn refused(error: StartError) -> Failure {
    match error {
        StartError::NotLoopback(_) => Failure::Usage(format!(
            "{error}, or say --expose-without-authentication and mean it"
        )),
        StartError::Account(_) => Failure::Usage(error.to_string()),
        // What is in the file is at fault, or who else uses it: no permission helps.
        StartError::File { path, source } if source.raw_os_error().is_none() => {
            Failure::System(format!("{}: {source}", path.display()))
        }
        StartError::File { path, source } => Failure::Io { path, source },
        StartError::Listen { addr, source } => Failure::System(format!(
            "cannot listen on {addr}: {source}; --listen {} picks a free port",
            SocketAddr::new(addr.ip(), 0)
        )),
    }
}

/// The quotas that were asked for.
pub(super) fn quotas(trouble: &Trouble) -> Result<Quotas, Failure> {
    let path = &trouble.quotas;
    match path.to_str() {
        Some("aws") => Ok(Quotas::aws()),
        Some("none") => Ok(Quotas::none()),
        _ => Quotas::parse(&files::text(path)?).map_err(|err| in_file(path, &err)),
    }
}

/// The faults that were asked for: those of the file first.
pub(super) fn faults(trouble: &Trouble) -> Result<Faults, Failure> {
    let mut faults = match &trouble.faults {
        None => Faults::default(),
        Some(path) => Faults::parse(&files::text(path)?).map_err(|err| in_file(path, &err))?,
    };
    faults.0.extend(trouble.fault.iter().cloned());
    Ok(faults)
}

/// Everything that is wrong with a file, each line with its name: the errors begin with line and column.
fn in_file(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    let text = error.to_string();
    let lines = text
        .lines()
        .map(|line| format!("{}:{line}", path.display()));
    Failure::Usage(lines.collect::<Vec<_>>().join("\n"))
}
