//! What execution asks of the machine it runs on: commands that judge what came back.

use std::pin::Pin;

use jiff::SignedDuration;

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

/// Whoever runs commands. A command whose future is dropped is killed with its children.
pub trait Commands: Send + Sync {
    /// Runs one to its end.
    fn run(&self, command: Command) -> Pin<Box<dyn Future<Output = Ran> + Send>>;
}
