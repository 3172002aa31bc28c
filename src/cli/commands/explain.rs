//! `redrill explain TYPE[.KEY]`, `redrill explain RULE` and `redrill explain --all`

use super::Context;
use super::pages::PAGES;
use crate::cli::arguments::Explain;
use crate::cli::exit::{Exit, Failure};
use crate::diagnostic::suggest;
use crate::report;
use crate::rules::Rules;

pub(super) fn explain(arguments: &Explain, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let Some(given) = &arguments.topic else {
        for (path, text) in PAGES {
            context
                .output
                .exact(&format!("<!-- {path} -->\n{text}\n"))?;
        }
        return Ok(Exit::Done);
    };
    topic(given, context)
}

/// A type, a key of one, or a rule.
pub(super) fn topic(given: &str, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let rules = Rules::embedded();
    if given.contains('/') {
        let Some(rule) = rules.described(given) else {
            let ids = rules.ids();
            return Err(Failure::Usage(format!(
                "unknown rule `{given}`; {}",
                suggest(given, ids.iter().map(String::as_str))
            )));
        };
        context.output.result(&report::explain_rule(&rule))?;
        return Ok(Exit::Done);
    }
    let Some(topic) = report::topic(&rules, given) else {
        let topics = report::topics(&rules, given);
        return Err(Failure::Usage(format!(
            "unknown resource type `{given}`; {}",
            suggest(given, topics.iter().map(String::as_str))
        )));
    };
    context.output.result(&report::explain(&rules, &topic))?;
    Ok(Exit::Done)
}
