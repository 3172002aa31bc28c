//! The manual: a page for redrill, and one for each command.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::help::{FILES, More, VARIABLES, more};

/// The page of a command, or of redrill as a whole.
///
/// # Errors
///
/// Where there is no such command.
pub(super) fn page(command: &Command, name: Option<&str>) -> io::Result<Vec<u8>> {
    let more = more(name.unwrap_or("run"));
    let command = match name {
        None => command.clone(),
        Some(name) => {
            let found = command.find_subcommand(name);
            let sub = found
                .ok_or_else(|| io::Error::other(format!("there is no command `{name}`")))?
                .clone();
            let full = format!("redrill-{name}");
            sub.display_name(full.clone())
                .name(full)
                .bin_name(format!("redrill {name}"))
                // The text below the flags is in sections of the page.
                .after_long_help("")
        }
    };
    let examples = more.filter(|_| name.is_some());
    let mut page = Vec::new();
    let man = Man::new(command);
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if name.is_none() {
        man.render_subcommands_section(&mut page)?;
    }
    beyond(&mut page, examples.map_or(&[], |more| more.examples), more)?;
    Ok(page)
}

fn beyond(page: &mut Vec<u8>, examples: &[(&str, &str)], more: Option<&More>) -> io::Result<()> {
    let mut roff = Roff::new();
    if let Some(more) = more {
        roff.control("SH", ["EXIT STATUS"]);
        for (code, meaning) in more.exits() {
            roff.control("TP", []);
            roff.text([bold(code.to_string())]);
            roff.text([roman(meaning)]);
        }
    }
    for (title, entries) in [("ENVIRONMENT", &VARIABLES[..]), ("FILES", &FILES[..])] {
        roff.control("SH", [title]);
        for (name, meaning) in entries {
            roff.control("TP", []);
            roff.text([bold(*name)]);
            roff.text([roman(*meaning)]);
        }
    }
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]);
        for (what, example) in examples {
            roff.control("TP", []);
            roff.text([roman(format!("{what}:"))]);
            roff.text([bold(*example)]);
        }
    }
    roff.to_writer(page)
}
