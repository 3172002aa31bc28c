//! Commands as they are typed: full output and exit codes.

mod begun;
mod broken_world;
mod config;
mod existing;
mod exits;
mod help;
mod hints;
mod incomplete;
mod instances;
mod leaks;
mod lock;
mod over;
mod plan_files;
mod points;
mod profiles;
mod question;
mod rehearsal;
mod rules;
mod screens;
mod secrets;
mod selectors;
mod shared;
mod status;
mod twice;
mod worlds;
mod writing;
