//! What execution asks of the machine it runs on: commands that judge what came back.

use std::pin::Pin;

use jiff::SignedDuration;

use crate::state::{Begun, Machine};

/// A command to run, without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// What it finds in its environment, besides redrill's own.
    pub environment: Vec<(String, String)>,
    /// How long it may take, by the machine's own clock.
    pub timeout: SignedDuration,
    /// How many bytes of the end of what it writes are kept.
    pub keep: usize,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exited {
    /// By itself, with this code.
    Code(i32),
    /// By a signal of somebody else's.
    Signal(i32),
    /// It took too long, and was killed with its children.
    TimedOut,
    /// It could not be started: why.
    NotStarted(String),
}

/// What a command has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub exited: Exited,
    /// The end of what it wrote to standard output and standard error.
    pub output: String,
}

/// What is left of a command that a runner started and did not see the end of.
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

    /// Where they run; none where what is left of one cannot be found again.
    fn machine(&self) -> Option<Machine> {
        None
    }

    /// Kills what is left of a command, and returns once it is gone.
    fn end(&self, _: &Begun) -> Left {
        Left::Nothing
    }
}
