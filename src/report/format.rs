//! The formats that a run's report is written in.

use std::fmt;
use std::str::FromStr;

use super::{RunReport, run_html, run_junit, run_markdown};

/// A format of `--report`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `redrill.run/v1`.
    Json,
    /// What CI systems read.
    Junit,
    /// One page for people.
    Html,
    /// A summary for a job or a pull request.
    Markdown,
}

/// From a report to its text.
type Write = fn(&RunReport) -> String;

/// The formats, their names, and how a report is written in them. A format is a file beside this one and a line here.
const FORMATS: [(Format, &str, Write); 4] = [
    (Format::Json, "json", RunReport::json),
    (Format::Junit, "junit", run_junit),
    (Format::Html, "html", run_html),
    (Format::Markdown, "markdown", run_markdown),
];

impl Format {
    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        FORMATS.iter().map(|(_, name, _)| *name)
    }

    /// The report in this format.
    #[must_use]
    pub fn write(self, report: &RunReport) -> String {
        FORMATS
            .iter()
            .find(|(format, _, _)| *format == self)
            .map(|(_, _, write)| write(report))
            .unwrap_or_default()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FORMATS.iter().find(|(format, _, _)| format == self);
        f.write_str(name.map_or("", |(_, name, _)| name))
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        FORMATS
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(format, _, _)| *format)
            .ok_or_else(|| {
                format!(
                    "there is no report format `{text}`; {}",
                    crate::diagnostic::suggest(text, Self::names())
                )
            })
    }
}
