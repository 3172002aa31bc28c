//! The emulator as a person starts it: a process of its own, for tests and benches.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A child that ends with whoever started it.
pub(crate) struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The process, and where it listens.
pub(crate) fn served_by(mut command: Command) -> (Served, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let url = line.trim().split(' ').next_back().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:"), "{line}");
    (Served(child), url)
}
