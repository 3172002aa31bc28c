//! What was typed and what it means; one file a command.

mod against;
mod arguments;
mod authoring;
mod commands;
mod confirm;
mod environment;
mod exit;
mod files;
mod git;
mod output;
mod pipe;
mod post_run;
mod signals;
mod tree;
mod writing;

pub use exit::Exit;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use arguments::Arguments;
use environment::Environment;
use output::Output;

/// The whole program: arguments to exit code.
#[must_use]
pub fn main() -> ExitCode {
    let environment = Environment::read();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(err) => {
            // Help and version were asked for; anything else is a slip of the fingers.
            let exit = match err.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
                _ => Exit::Usage,
            };
            let _ = err.print();
            return exit.into();
        }
    };
    let mut output = Output::new(&arguments.display, &environment);
    let exit = match commands::run(
        arguments.command,
        &arguments.display,
        &environment,
        &mut output,
    ) {
        Ok(exit) => exit,
        Err(failure) => {
            output.failure(&failure);
            failure.exit()
        }
    };
    exit.into()
}

/// The command line, for completions, the manual and the tests that compare it with the documents.
#[must_use]
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}
