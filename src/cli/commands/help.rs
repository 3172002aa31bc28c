//! `redrill help TOPIC`

use clap::CommandFactory as _;

use super::{Context, explain};
use crate::cli::arguments::Arguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::pointer;
use crate::diagnostic::did_you_mean;
use crate::report;
use crate::rules::Rules;

pub(super) fn help(topic: &[String], context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut command = crate::cli::command();
    let Some(first) = topic.first() else {
        context
            .output
            .result(&command.render_long_help().to_string())?;
        return Ok(Exit::Done);
    };
    let mut found = Some(&command);
    for name in topic {
        found = found.and_then(|command| command.find_subcommand(name));
    }
    if let Some(sub) = found {
        let name = format!("redrill {}", topic.join(" "));
        let text = sub.clone().bin_name(name).render_long_help().to_string();
        context.output.result(&text)?;
        return Ok(Exit::Done);
    }
    let topic = topic.join(" ");
    if let Some(text) = report::explain_plan_key(&topic) {
        context.output.result(&text)?;
        return Ok(Exit::Done);
    }
    let rules = Rules::embedded();
    let is_known = report::topic(&rules, &topic).is_some() || rules.described(&topic).is_some();
    if is_known {
        return explain::topic(&topic, context);
    }
    if let Some(meant) = pointer(first) {
        return Err(Failure::Usage(format!(
            "redrill has no command `{first}`; `redrill help {meant}` explains what you are looking for"
        )));
    }
    let commands = Arguments::command();
    let commands = commands
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned());
    let known: Vec<String> = commands
        .chain(report::plan_keys())
        .chain(rules.types().map(str::to_owned))
        .collect();
    let meant = did_you_mean(&topic, known.iter().map(String::as_str));
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    Err(Failure::Usage(format!(
        "`{topic}` is not a command, a key of the plan, a resource type or a rule{meant}"
    )))
}
