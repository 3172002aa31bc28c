//! Interface to the machine that execution runs on: commands that judge what came back.

use std::pin::Pin;

use jiff::SignedDuration;

use crate::state::{Begun, Machine};

/// A command to run, without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// Variables in its environment, besides redrill's own.
    pub environment: Vec<(String, String)>,
    /// Time that it may take, by the machine's own clock.
    pub timeout: SignedDuration,
    /// Bytes of the end of its output that are kept.
    pub keep: usize,
}

/// Exit of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exited {
    /// By itself, with this code.
    Code(i32),
    /// By a signal of somebody else's.
    Signal(i32),
    /// Took too long, and was killed with its children.
    TimedOut,
    /// Failed to start: why.
    NotStarted(String),
}

/// Outcome of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Exit of the command.
    pub exited: Exited,
    /// The end of what it wrote to standard output and standard error.
    pub output: String,
}

/// Remains of a command that a runner started and did not see the end of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// No process.
    Nothing,
    /// So many processes, which were killed, and are gone.
    Killed(usize),
    /// This process, which cannot be killed.
    Alive(i32),
    /// Nobody can say, and why.
    Unknown(String),
}

/// Whoever runs commands. A command whose future is dropped is killed with its children.
pub trait Commands: Send + Sync {
    /// Runs one to its end.
    fn run(&self, command: Command) -> Pin<Box<dyn Future<Output = Ran> + Send>>;

    /// Returns the machine that runs them; none where the remains of one cannot be found again.
    fn machine(&self) -> Option<Machine> {
        None
    }

    /// Kills what is left of a command, and returns once it is gone.
    fn end(&self, _: &Begun) -> Left {
        Left::Nothing
    }
}
