//! Controls of frameworks such as DORA, and what the record of a run answers of each: a section of its reports.

use std::fmt::Write as _;

use serde::Serialize;

use super::markdown::{code, escaped};

/// Sentence that precedes the controls, so that nobody reads more into them.
pub const CONTROLS_ARE: &str = "What the record of this run answers of each control, and what it does not. It does not say that a control \
     is met: your organization, its auditor and its supervisor judge that.";

/// The controls of the frameworks that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlsReport {
    /// How to read them.
    pub about: &'static str,
    /// Reason that this run answers nothing; none if it was at AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers_nothing: Option<String>,
    /// In the order in which they were asked for; none of a run that answers nothing.
    pub frameworks: Vec<FrameworkReport>,
}

/// One framework.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FrameworkReport {
    /// Id, as `--controls` takes it.
    pub framework: String,
    /// Full title.
    pub title: String,
    /// Its public page.
    pub url: String,
    /// Sentences about all of its controls.
    pub notes: Vec<String>,
    /// Its controls.
    pub controls: Vec<ControlReport>,
}

/// One control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlReport {
    /// Id, as the framework writes it.
    pub control: String,
    /// Its title.
    pub title: String,
    /// Paraphrase of what it asks.
    pub asks: String,
    /// Answers of the record.
    pub answers: Vec<ControlAnswer>,
    /// Parts that the record does not answer, and who does.
    pub leaves: Vec<String>,
    /// Page of the text.
    pub source: String,
}

/// What the record has of one kind of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ControlAnswer {
    /// Id of the kind of evidence.
    pub evidence: String,
    /// Its title.
    pub title: String,
    /// Whether the record has it.
    pub state: AnswerState,
    /// What the record has of it, in this run.
    pub record: String,
    /// The part of the control that it answers where the record has it.
    pub says: String,
}

/// Whether the record has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerState {
    /// Of the whole run.
    Recorded,
    /// Of a part of it.
    Partly,
    /// Not at all.
    Missing,
    /// The record cannot say.
    Unknown,
    /// It is not of one run: another command says it.
    Elsewhere,
}

impl AnswerState {
    /// Returns the word that precedes it in a list.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Partly => "partly recorded",
            Self::Missing => "not recorded",
            Self::Unknown => "unknown",
            Self::Elsewhere => "elsewhere",
        }
    }

    /// Returns true if the answer that rests on it is one.
    #[must_use]
    pub fn answers(self) -> bool {
        matches!(self, Self::Recorded | Self::Partly)
    }
}

/// Renders the section.
pub(super) fn controls_markdown(controls: &ControlsReport, text: &mut String) {
    let _ = writeln!(text, "\n### Controls\n\n{}", escaped(controls.about));
    if let Some(why) = &controls.answers_nothing {
        let _ = writeln!(text, "\n**{}**", escaped(why));
    }
    for framework in &controls.frameworks {
        let title = escaped(&framework.title);
        let _ = writeln!(text, "\n#### [{title}]({})\n", framework.url);
        for note in &framework.notes {
            let _ = writeln!(text, "{}\n", escaped(note));
        }
        for control in &framework.controls {
            of_control(control, text);
        }
    }
}

fn of_control(control: &ControlReport, text: &mut String) {
    let (id, title) = (escaped(&control.control), escaped(&control.title));
    let asks = escaped(&control.asks);
    let _ = writeln!(text, "**[{id}]({}) {title}**\n\n> {asks}\n", control.source);
    for answer in &control.answers {
        let title = escaped(&answer.title);
        // Between ticks are commands and names.
        let parts = answer.record.split('`').enumerate();
        let parts = parts.map(|(at, part)| match at % 2 {
            0 => escaped(part),
            _ => code(part),
        });
        let record: String = parts.collect();
        let says = match answer.state.answers() {
            true => format!(" {}", escaped(&answer.says)),
            false => String::new(),
        };
        let state = answer.state.words();
        let _ = writeln!(text, "- **{title}** ({state}): {record}.{says}");
    }
    if control.answers.is_empty() {
        text.push_str("- The record of a run answers nothing of it.\n");
    }
    for left in &control.leaves {
        let _ = writeln!(text, "- *Left to others:* {}", escaped(left));
    }
    text.push('\n');
}
