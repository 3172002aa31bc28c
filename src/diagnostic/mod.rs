//! Findings: what is wrong with a plan, where, why, and what to write instead.
//!
//! A [`Finding`] cannot be made without a [`Rule`], a place, a message and a remedy. Stages collect them in a
//! [`Findings`] and go on, so that everything wrong is reported at once; the renderers beside this file turn the
//! sorted result into bytes.

mod findings;
mod fold;
mod github;
mod human;
mod json;
pub mod rule;
mod safe;
mod sarif;
mod source;
mod times;

pub use findings::Findings;
pub use fold::fold;
pub use github::github;
pub use human::human;
pub use json::{FindingJson, json};
pub use rule::{Described, Rule};
pub use safe::{Safe, is_hidden, visible, visible_lines, workflow_command};
pub use sarif::sarif;
pub use source::{Position, Source, Span, Spanned};
pub use times::{LocalTime, duration};

use std::sync::Arc;

use serde::Serialize;

use crate::ids::RestoreName;

/// Certainty that AWS, or redrill, will refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Documented by AWS, a recorded refusal, or a plan that means nothing: nothing is sent.
    Error,
    /// Inferred, or very likely not what was meant: it is sent.
    Warning,
    /// Something that could not be checked, and why.
    Note,
}

/// One thing to tell the plan's author.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Stable id of the rule, such as `yaml/duplicate-key` or `EFS/kms-needs-encrypted`.
    pub rule: String,
    /// Severity, which tells whether it stops the run.
    pub severity: Severity,
    /// Problem that was found, and why that is wrong.
    pub message: String,
    /// Advice on what to write instead.
    pub help: String,
    /// The text it was found in.
    pub source: Arc<Source>,
    /// Place in that text.
    pub span: Span,
    /// The restore it belongs to.
    pub restore: Option<RestoreName>,
    /// The metadata key it belongs to.
    pub key: Option<String>,
    /// The page that says so.
    pub url: Option<String>,
    /// True if the place holds a secret, which is not shown then.
    pub conceals: bool,
    /// Other places that it is about.
    pub also: Vec<RelatedLocation>,
}

/// Another place that a finding is about, and what is there.
#[derive(Clone, Debug)]
pub struct RelatedLocation {
    /// The text that it is in.
    pub source: Arc<Source>,
    /// Place in that text.
    pub span: Span,
    /// Description of the place, in a few words: `written here first`.
    pub label: String,
}

impl Finding {
    /// Creates a finding of a rule of redrill's, at a place.
    pub(crate) fn at(
        source: &Arc<Source>,
        span: Span,
        rule: &'static Rule,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let by = (rule.id.to_owned(), rule.severity);
        Self::by(source, span, by, message, help)
    }

    /// Creates a finding of a rule that every resource type has, for one type.
    pub(crate) fn of_type(
        source: &Arc<Source>,
        span: Span,
        (rule, resource_type): (&'static Rule, &str),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let id = rule.id_of(resource_type);
        Self::by(source, span, (id, rule.severity), message, help)
    }

    /// Creates a finding of a resource type's own rule, which is data: its id and severity.
    pub(crate) fn by(
        source: &Arc<Source>,
        span: Span,
        (rule, severity): (String, Severity),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            severity,
            message: message.into(),
            help: help.into(),
            source: Arc::clone(source),
            span,
            restore: None,
            key: None,
            url: None,
            conceals: false,
            also: Vec::new(),
        }
    }

    /// Returns true if it is of a rule.
    #[must_use]
    pub fn is(&self, rule: &Rule) -> bool {
        self.rule == rule.id
    }

    /// Returns true if it stops a run.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// A finding that weighs more, or less, than its rule does elsewhere.
    #[must_use]
    pub(crate) fn weighing(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The message, behind what it is about.
    #[must_use]
    pub fn title(&self) -> String {
        match (&self.restore, &self.key) {
            (Some(restore), Some(key)) => format!("{restore}: {key}: {}", self.message),
            (Some(restore), None) => format!("{restore}: {}", self.message),
            (None, _) => self.message.clone(),
        }
    }

    /// A finding about a secret.
    #[must_use]
    pub fn concealing(mut self) -> Self {
        self.conceals = true;
        self
    }

    /// A finding that is about another place of the same text as well.
    #[must_use]
    pub(crate) fn also(self, span: Span, label: impl Into<String>) -> Self {
        let source = Arc::clone(&self.source);
        self.also_in(&source, span, label)
    }

    /// A finding that is about a place of another text as well.
    #[must_use]
    pub(crate) fn also_in(
        mut self,
        source: &Arc<Source>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        self.also.push(RelatedLocation {
            source: Arc::clone(source),
            span,
            label: label.into(),
        });
        self
    }

    /// A finding that names its restore.
    #[must_use]
    pub fn of_restore(mut self, restore: &RestoreName) -> Self {
        self.restore = Some(restore.clone());
        self
    }

    /// A finding that names its metadata key.
    #[must_use]
    pub fn of_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// A finding that names the page it comes from.
    #[must_use]
    pub fn documented_at(mut self, url: Option<&str>) -> Self {
        self.url = url.map(str::to_owned);
        self
    }
}

/// The name among `known` that `typed` was most likely meant to be.
#[must_use]
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&folded, &name.to_lowercase()),
                name,
            )
        })
        // A third of the name may be wrong: more than that is another word.
        .filter(|(distance, name)| *distance <= name.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `known` as the end of a sentence: "did you mean `x`?", or the list.
#[must_use]
pub fn suggest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match did_you_mean(typed, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let names: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
            match names.as_slice() {
                [] => "there are none".to_owned(),
                names if names.len() > 24 => format!("known are {}, …", names[..24].join(", ")),
                names => format!("known are {}", names.join(", ")),
            }
        }
    }
}
