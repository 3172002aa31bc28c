//! Arguments to exit code; nothing else.

use std::process::ExitCode;

/// Tens of thousands of restores are millions of small allocations, from several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    redrill::cli::main()
}
