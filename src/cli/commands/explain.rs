//! `redrill explain TYPE[.KEY]` and `redrill explain RULE`

use super::Context;
use crate::cli::arguments::Explain;
use crate::cli::exit::{Exit, Failure};
use crate::diagnostic::suggest;
use crate::report;
use crate::rules::Rules;

pub(super) fn explain(arguments: &Explain, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let rules = Rules::embedded();
    if arguments.topic.contains('/') {
        let Some(rule) = rules.described(&arguments.topic) else {
            let ids = rules.ids();
            return Err(Failure::Usage(format!(
                "unknown rule `{}`; {}",
                arguments.topic,
                suggest(&arguments.topic, ids.iter().map(String::as_str))
            )));
        };
        context.output.result(&report::explain_rule(&rule))?;
        return Ok(Exit::Done);
    }
    let Some(topic) = report::topic(&rules, &arguments.topic) else {
        let topics = report::topics(&rules, &arguments.topic);
        return Err(Failure::Usage(format!(
            "unknown resource type `{}`; {}",
            arguments.topic,
            suggest(&arguments.topic, topics.iter().map(String::as_str))
        )));
    };
    context.output.result(&report::explain(&rules, &topic))?;
    Ok(Exit::Done)
}
