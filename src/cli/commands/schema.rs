//! `redrill schema [plan|TYPE]`

use super::Context;
use crate::cli::arguments::SchemaArguments;
use crate::cli::exit::{Exit, Failure};
use crate::diagnostic::suggest;
use crate::report;
use crate::rules::Rules;

pub(super) fn schema(
    arguments: &SchemaArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let rules = Rules::embedded();
    let name = arguments.of.as_str();
    let text = if name == "plan" {
        report::plan_schema(&rules)
    } else {
        let known = rules.types().find(|title| title.eq_ignore_ascii_case(name));
        known
            .and_then(|title| report::type_schema(&rules, title))
            .ok_or_else(|| {
                let known = std::iter::once("plan").chain(rules.types());
                Failure::Usage(format!(
                    "there is no schema of `{name}`; {}",
                    suggest(name, known)
                ))
            })?
    };
    context.output.document(&text)?;
    Ok(Exit::Done)
}
