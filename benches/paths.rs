//! The paths whose cost a user feels.

fn main() {
    divan::main();
}
