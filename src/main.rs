//! Arguments to pipeline to exit code; nothing else.

fn main() {}
