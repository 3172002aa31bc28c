//! The formats that a run's report is written in.

use std::str::FromStr;
use std::{fmt, io};

use super::{RunReport, run_html, run_junit, run_markdown};
use crate::diagnostic::Safe;

/// A format of `--report`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `redrill.run/v1`.
    Json,
    /// Format for CI systems.
    Junit,
    /// One page for people.
    Html,
    /// A summary for a job or a pull request.
    Markdown,
}

/// From a report to its text. That of a large run is written as it is made.
type Write = fn(&RunReport, &mut dyn io::Write) -> io::Result<()>;

/// The formats, their names, and how a report is written in them. A format is a file beside this one and a line here.
const FORMATS: [(Format, &str, Write); 4] = [
    (Format::Json, "json", |report, out| {
        let mut safe = Safe::new(out);
        report.write_json(&mut safe)?;
        safe.finish()
    }),
    (Format::Junit, "junit", |report, out| {
        out.write_all(run_junit(report).as_bytes())
    }),
    (Format::Html, "html", |report, out| {
        out.write_all(run_html(report).as_bytes())
    }),
    (Format::Markdown, "markdown", |report, out| {
        out.write_all(run_markdown(report).as_bytes())
    }),
];

impl Format {
    /// The names of all.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        FORMATS.iter().map(|(_, name, _)| *name)
    }

    /// Returns true if a text begins as a report of redrill does, in any of the formats and of any version.
    #[must_use]
    pub fn wrote(head: &str) -> bool {
        let first = head.lines().next().unwrap_or_default();
        let of_run = |begin: &str, end: &str| {
            let behind = head.split_once(begin).map(|(_, behind)| behind);
            let title = behind.and_then(|behind| behind.split_once(end));
            title.is_some_and(|(title, _)| title.contains(" run "))
        };
        (first.starts_with('{') && head.contains("\"redrill.run/v"))
            || (first.starts_with("<?xml")
                && of_run("<testsuites name=\"", "\"")
                && head.contains("<property name=\"verdict\""))
            || (first.eq_ignore_ascii_case("<!doctype html>") && of_run("<title>", "</title>"))
            || (first.starts_with("## ") && first.contains(" run "))
    }

    /// Writes the report in this format.
    ///
    /// # Errors
    ///
    /// Where `out` cannot be written.
    pub fn write(self, report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
        let format = FORMATS.iter().find(|(format, _, _)| *format == self);
        format.map_or(Ok(()), |(_, _, write)| write(report, out))
    }

    /// The report in this format.
    #[must_use]
    pub fn text(self, report: &RunReport) -> String {
        let mut text = Vec::new();
        // Memory can always be written, and every format is text.
        let _ = self.write(report, &mut text);
        String::from_utf8(text).unwrap_or_default()
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
        // Markdown files end in `md`.
        let name = if text == "md" { "markdown" } else { text };
        FORMATS
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(format, _, _)| *format)
            .ok_or_else(|| {
                format!(
                    "unknown report format `{text}`; {}",
                    crate::diagnostic::suggest(text, Self::names())
                )
            })
    }
}
