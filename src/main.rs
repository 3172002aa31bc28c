//! Arguments to pipeline to exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    redrill::cli::main()
}
