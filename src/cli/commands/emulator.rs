//! `redrill emulator`

use std::path::Path;

use super::Context;
use crate::cli::arguments::Emulator as Arguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::signals::Signals;
use crate::emulator::{self, Emulator, Inventory};

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
        ..emulator::Options::default()
    };
    let mut signals = Signals::listen();
    let emulator = Emulator::start(arguments.listen, options)
        .await
        .map_err(|err| Failure::System(err.to_string()))?;
    context
        .output
        .result(&format!("listening on {}\n", emulator.url()))?;
    context.output.note(&format!(
        "a local AWS Backup, {} times as fast; Ctrl-C ends it and forgets its jobs",
        arguments.speed
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
