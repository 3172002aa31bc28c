//! `redrill emulator`

use std::path::PathBuf;

use redrill_emulator::command::{Arguments, FileError, refusal};
use redrill_emulator::{Emulator, StartError};

use super::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::signals::Signals;

pub(super) async fn emulator(
    arguments: &Arguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let options = arguments.options(files::text).map_err(of_file)?;
    let mut signals = Signals::listen();
    let emulator = Emulator::start(arguments.listen, options)
        .await
        .map_err(refused)?;
    context
        .output
        .result(&format!("listening on {}\n", emulator.url()))?;
    for note in arguments.notes() {
        context.output.note(&note);
    }
    let _ = signals.control.recv().await;
    let unlogged = emulator.unlogged();
    emulator.shutdown().await;
    if let Some(note) = arguments.farewell(unlogged) {
        context.output.note(&note);
    }
    Ok(Exit::Done)
}

/// Reads inventory files as one; nothing where none are given.
pub(super) fn inventory(
    paths: &[PathBuf],
) -> Result<Option<redrill_inventory::Inventory>, Failure> {
    redrill_emulator::command::inventory(paths, files::text).map_err(of_file)
}

/// Returns the failure for a file of the emulator that was not taken.
pub(super) fn of_file(error: FileError<Failure>) -> Failure {
    match error {
        FileError::Unread(failure) => failure,
        FileError::Invalid(message) => Failure::Usage(message),
    }
}

/// Returns the failure for an emulator that did not start, by whose fault that is.
pub(super) fn refused(error: StartError) -> Failure {
    match (refusal(&error), error) {
        ((message, true), _) => Failure::Usage(message),
        // Without an OS error, the file's content or another user of it is at fault, and no permission helps.
        (_, StartError::File { path, source }) if source.raw_os_error().is_some() => {
            Failure::Io { path, source }
        }
        ((message, false), _) => Failure::System(message),
    }
}
