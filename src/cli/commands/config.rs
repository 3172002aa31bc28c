//! `redrill config [PLAN]`

use std::fmt::Write as _;

use serde::Serialize;

use super::Context;
use crate::cli::arguments::{Config, HumanOrJson};
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::{Setting, Settings, variable_of};
use crate::report::pretty;

/// Document that `--format json` prints.
#[derive(Serialize)]
struct SettingsDocument<'a> {
    schema: &'static str,
    file: Option<String>,
    settings: Vec<SettingRow<'a>>,
    flags: Vec<String>,
}

#[derive(Serialize)]
struct SettingRow<'a> {
    flag: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    values: &'a [String],
    from: String,
}

impl<'a> SettingRow<'a> {
    fn of(setting: &'a Setting) -> Self {
        Self {
            flag: &setting.flag,
            command: setting.command.as_deref(),
            values: &setting.values,
            from: setting.origin.to_string(),
        }
    }
}

pub(super) fn config(
    arguments: &Config,
    settings: &Settings,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let holds = settings.that_hold();
    let flags = match arguments.all {
        true => Settings::flags(&crate::cli::command()),
        false => Vec::new(),
    };
    match arguments.format {
        HumanOrJson::Json => {
            let document = SettingsDocument {
                schema: "redrill.config/v1",
                file: settings
                    .file
                    .as_ref()
                    .map(|path| path.display().to_string()),
                settings: holds
                    .iter()
                    .map(|setting| SettingRow::of(setting))
                    .collect(),
                flags,
            };
            context.output.document(&pretty(&document))?;
        }
        HumanOrJson::Human => context.output.result(&human(settings, &holds, &flags))?,
    }
    Ok(Exit::Done)
}

fn human(settings: &Settings, holds: &[&Setting], flags: &[String]) -> String {
    let mut text = match &settings.file {
        Some(path) => format!("settings file: {}\n", path.display()),
        None => "settings file: none (redrill.toml, from the plan's folder upward)\n".to_owned(),
    };
    let name = |setting: &Setting| match &setting.command {
        Some(command) => format!("{command} --{}", setting.flag),
        None => format!("--{}", setting.flag),
    };
    let width = holds.iter().map(|of| name(of).len()).max().unwrap_or(0);
    for setting in holds {
        let values = setting.values.join(", ");
        let _ = writeln!(
            text,
            "{:<width$}  {values}  ({})",
            name(setting),
            setting.origin
        );
    }
    if holds.is_empty() {
        text.push_str("every flag has its default\n");
    }
    for flag in flags {
        let _ = writeln!(text, "--{flag}  {}", variable_of(flag));
    }
    text
}
