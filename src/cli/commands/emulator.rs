//! `redrill emulator`

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
    emulator.shutdown().await;
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
        StartError::File { path, source } => Failure::Io { path, source },
        error => match std::error::Error::source(&error) {
            Some(source) => Failure::System(format!("{error}: {source}")),
            None => Failure::System(error.to_string()),
        },
    }
}

/// The quotas that were asked for.
pub(super) fn quotas(trouble: &Trouble) -> Result<Quotas, Failure> {
    let path = &trouble.quotas;
    match path.to_str() {
        Some("aws") => Ok(Quotas::aws()),
        Some("none") => Ok(Quotas::none()),
        _ => Quotas::parse(&files::text(path)?)
            .map_err(|err| Failure::Usage(format!("{}: {err}", path.display()))),
    }
}

/// The faults that were asked for: those of the file first.
pub(super) fn faults(trouble: &Trouble) -> Result<Faults, Failure> {
    let mut faults = match &trouble.faults {
        None => Faults::default(),
        Some(path) => Faults::parse(&files::text(path)?)
            .map_err(|err| Failure::Usage(format!("{}: {err}", path.display())))?,
    };
    faults.0.extend(trouble.fault.iter().cloned());
    Ok(faults)
}
