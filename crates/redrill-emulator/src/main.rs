//! `redrill-emulator`: a local AWS Backup, without the rest of redrill.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use redrill_emulator::Emulator;
use redrill_emulator::command::{Arguments, FileError, refusal};

/// A local AWS Backup for restores, over HTTP, for any client of the API
#[derive(Debug, Parser)]
#[command(version)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

/// The exit codes of redrill: docs/exit-codes.md.
const UNEXPECTED: u8 = 1;
const USAGE: u8 = 64;

struct Failure {
    message: String,
    code: u8,
}

fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match run(&command.arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("error: {}", failure.message));
            ExitCode::from(failure.code)
        }
    }
}

#[tokio::main]
async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let unexpected = |message| Failure {
        message,
        code: UNEXPECTED,
    };
    let options = arguments.options(read).map_err(|error| match error {
        FileError::Unread(message) => unexpected(message),
        FileError::Invalid(message) => Failure {
            message,
            code: USAGE,
        },
    })?;
    let mut stop = Stop::listen();
    let emulator = Emulator::start(arguments.listen, options)
        .await
        .map_err(|error| {
            let (message, is_usage) = refusal(&error);
            let code = if is_usage { USAGE } else { UNEXPECTED };
            Failure { message, code }
        })?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {}", emulator.url())
        .and_then(|()| stdout.flush())
        .map_err(|error| unexpected(format!("standard output: {error}")))?;
    for note in arguments.notes() {
        say(&format!("note: {note}"));
    }
    stop.asked().await;
    let unlogged = emulator.unlogged();
    emulator.shutdown().await;
    if let Some(note) = arguments.farewell(unlogged) {
        say(&format!("note: {note}"));
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the files that the arguments name"
)]
fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Standard error may be closed; that stops nothing.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Ctrl-C and SIGTERM.
struct Stop {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

impl Stop {
    /// Listens from here on; has to be called in a runtime.
    fn listen() -> Self {
        Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .ok(),
        }
    }

    #[cfg(unix)]
    async fn asked(&mut self) {
        let terminated = async {
            match &mut self.terminate {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = terminated => {}
        }
    }

    #[cfg(not(unix))]
    async fn asked(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
