//! Command line and its meaning; one file per command.

mod against;
mod arguments;
mod authoring;
mod commands;
mod complete;
mod confirm;
mod environment;
mod exit;
mod export_folder;
mod exporting;
mod files;
mod forecasting;
mod git;
mod help;
mod ledger_file;
mod manual;
mod output;
mod pipe;
mod post_run;
mod proving;
mod settings;
mod signals;
mod tree;
mod version;
mod writing;

pub use exit::Exit;

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _};

use arguments::Arguments;
use environment::Environment;
use output::Output;
use settings::Settings;

/// The whole program: arguments to exit code.
#[must_use]
pub fn main() -> ExitCode {
    // A shell asks what a word may become; nothing else is done then.
    complete::answer();
    let environment = Environment::read();
    let (arguments, settings) = match parsed(&environment) {
        Ok(parsed) => parsed,
        Err(exit) => return exit.into(),
    };
    let mut output = Output::new(&arguments.display, &environment);
    for warning in &settings.warnings {
        output.note(&format!("warning: {warning}"));
    }
    let exit = match commands::run(
        arguments.command,
        &arguments.display,
        &environment,
        &settings,
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

/// Parses what was typed, on top of the other settings.
fn parsed(environment: &Environment) -> Result<(Arguments, Settings), Exit> {
    let typed = command();
    let matches = typed
        .clone()
        .try_get_matches()
        .map_err(|err| refused(&err, None))?;
    let read = Settings::read(&typed, &matches, environment);
    let settings = match read {
        Ok(settings) => settings,
        Err(failure) => {
            let arguments =
                Arguments::from_arg_matches(&matches).map_err(|err| refused(&err, None))?;
            Output::new(&arguments.display, environment).failure(&failure);
            return Err(failure.exit());
        }
    };
    let Some((name, of)) = matches.subcommand() else {
        return Err(Exit::Usage);
    };
    let mut whole = settings.apply(typed, name);
    if of.try_get_one::<bool>("json").ok().flatten() == Some(&true) {
        whole = whole.mut_subcommand(name, |sub| {
            sub.mut_arg("format", |arg| arg.default_value("json"))
        });
    }
    let matches = whole
        .try_get_matches()
        .map_err(|err| refused(&err, Some(&settings)))?;
    let arguments = Arguments::from_arg_matches(&matches).map_err(|err| refused(&err, None))?;
    Ok((arguments, settings))
}

/// Prints help, which was asked for, or what is wrong: a slip of the fingers.
#[expect(clippy::print_stderr, reason = "the screen is not set up yet")]
fn refused(err: &clap::Error, settings: Option<&Settings>) -> Exit {
    if err.kind() == ErrorKind::DisplayVersion && Environment::is_typed(&["-v", "--verbose"]) {
        return match std::io::stdout().write_all(version::verbose().as_bytes()) {
            Ok(()) => Exit::Done,
            Err(_) => Exit::Unexpected,
        };
    }
    if matches!(
        err.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let _ = err.print();
        return Exit::Done;
    }
    let typed = match err.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) => Some(typed.as_str()),
        _ => None,
    };
    match typed.and_then(|typed| Some((typed, help::pointer(typed)?))) {
        Some((typed, meant)) => eprintln!(
            "error: redrill has no command `{typed}`\nhelp: `redrill {meant}` is what you are looking for; \
             `redrill help {meant}` explains it"
        ),
        None => {
            let _ = err.print();
        }
    }
    if let Some(whence) = settings.and_then(|settings| settings.blames(&err.to_string())) {
        eprintln!("help: {whence}; `redrill config` shows all settings");
    }
    Exit::Usage
}

/// The command line, for completions, the manual and the tests that compare it with the documents.
#[must_use]
pub fn command() -> clap::Command {
    help::extended(Arguments::command())
}

/// Every command that `--help` and the manual give as an example, with the name of the command that it is of.
#[doc(hidden)]
pub fn examples() -> impl Iterator<Item = (&'static str, &'static str)> {
    help::MORE.iter().flat_map(|more| {
        more.examples
            .iter()
            .map(|(_, example)| (more.command, *example))
    })
}
