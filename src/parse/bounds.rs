//! Limits on what one YAML file may hold, so that none costs a multiple of its length.
//!
//! The scanner keeps all of a list or map in brackets until it ends, because it could be a key: half a kilobyte for
//! each item. The items are counted in front of it, where there can be too many at all.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Finding, Source, Span, rule};

/// Values in a file: a plan of 100,000 restores has two million.
const VALUES: usize = 4_000_000;
/// Values between one pair of brackets and all in it, as in a file of JSON: 50,000 restores.
const IN_BRACKETS: usize = 500_000;
/// Values of one variable: a `for_each` of 100,000 with three members each.
pub const OF_VARIABLE: usize = 400_000;

/// Count of what has been read.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    values: usize,
    commas: Rc<Cell<usize>>,
}

impl Count {
    /// Returns true if a text can have more in brackets than is allowed.
    pub(super) fn has_to_count(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b',').count() > IN_BRACKETS
    }

    /// The characters of a text, which end where there are too many commas before the next event.
    pub(super) fn counted<'a>(&self, text: &'a str) -> impl Iterator<Item = char> + 'a {
        let commas = Rc::clone(&self.commas);
        text.chars().take_while(move |c| {
            commas.set(commas.get() + usize::from(*c == ','));
            commas.get() <= IN_BRACKETS
        })
    }

    /// The scanner has let go of what it kept; or the text was ended.
    pub(super) fn event(&mut self, source: &Arc<Source>, span: Span) -> Result<(), Box<Finding>> {
        if self.commas.replace(0) > IN_BRACKETS {
            return Err(too_large(
                source,
                span,
                IN_BRACKETS,
                "in one pair of brackets",
            ));
        }
        self.values += 1;
        if self.values > VALUES {
            return Err(too_large(source, span, VALUES, "in one file"));
        }
        Ok(())
    }
}

fn too_large(source: &Arc<Source>, span: Span, most: usize, place: &str) -> Box<Finding> {
    Box::new(Finding::at(
        source,
        span,
        rule::YAML_SIZE,
        format!("more than {most} values {place}"),
        "split it: restores of one kind are one entry with a `for_each`, and large plans are several plans",
    ))
}
