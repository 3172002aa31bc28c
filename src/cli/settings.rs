//! Settings of flags that were not typed: `REDRILL_<FLAG>`, then `redrill.toml`, then the default.
//!
//! Each becomes the default of its flag, so that a typed value wins, and every value is checked as if it had been
//! typed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::exit::Failure;
use super::files;
use crate::diagnostic::did_you_mean;
use crate::diff::Saved;

/// The file, looked for from the plan's folder upward.
const FILE: &str = "redrill.toml";
/// The directory of journals, looked for in the same way.
const STATE: &str = ".redrill";
/// Flags that decide about one run: a file that holds for everybody and for ever does not say them.
const DECISIONS: [&str; 9] = [
    "yes",
    "adopt",
    "start-anyway",
    "take-over",
    "into-existing",
    "retry-failed",
    "cutover",
    "force",
    "confirm-account",
];
/// Flags whose values are paths: those of a file are relative to it.
const PATHS: [&str; 4] = ["state", "inventory", "var-file", "output"];
/// Variables, without `REDRILL_`, that a check finds in its environment beside those of flags: `docs/plan.md` has the
/// list. A redrill that a check runs takes the run id and the Region from there.
const IN_CHECKS: [&str; 12] = [
    "PLAN",
    "CHECK",
    "TRY",
    "ACCOUNT",
    "START",
    "RESTORE",
    "RESOURCE_TYPE",
    "RECOVERY_POINT_ARN",
    "CREATED_ARN",
    "CREATED_ARNS",
    "JOB_ID",
    "REHEARSAL",
];
/// Commands that have flags of the same names with other meanings, and take none from here.
const APART: [&str; 2] = ["emulator", "help"];
/// Flags that only the command line sets: a rehearsal keeps nothing among the runs unless that is typed.
const TYPED: [(&str, &str); 1] = [("rehearse", "state")];

/// Origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SettingOrigin {
    /// A variable of the environment.
    Variable(String),
    /// A line of a file.
    Line(PathBuf, usize),
    /// A folder that was found upward.
    Found,
}

impl Setting {
    /// Ranks the setting: of several, the largest holds.
    fn strength(&self) -> u8 {
        match (&self.origin, &self.command) {
            (SettingOrigin::Found, _) => 0,
            (SettingOrigin::Line(..), None) => 1,
            (SettingOrigin::Line(..), Some(_)) => 2,
            (SettingOrigin::Variable(_), _) => 3,
        }
    }
}

impl std::fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Found => f.write_str("the nearest one"),
        }
    }
}

/// A value of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The command that it is for; all that have the flag, where absent.
    pub(super) command: Option<String>,
    /// The flag's long name.
    pub(super) flag: String,
    pub(super) values: Vec<String>,
    pub(super) origin: SettingOrigin,
}

/// Everything that may hold where nothing was typed.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// The file, where there is one.
    pub(super) file: Option<PathBuf>,
    pub(super) all: Vec<Setting>,
    /// Probable slips, to be shown.
    pub(super) warnings: Vec<String>,
}

impl Settings {
    /// Reads what holds for a command line that was parsed without it.
    pub(super) fn read(
        command: &Command,
        matches: &ArgMatches,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let mut settings = Self::default();
        let plan = matches.subcommand().and_then(|(_, of)| plan(of));
        let upward = Upward::of(plan.as_deref(), &environment.directory);
        let file = upward.find(|path| path.join(FILE).is_file());
        if let Some(folder) = &file {
            let path = folder.join(FILE);
            let text = files::text(&path)?;
            settings.all = read(command, folder, &path, &text)?;
            settings.file = Some(path);
        }
        let state = upward.find(|path| path.join(STATE).is_dir());
        if let Some(folder) = state
            .as_ref()
            .filter(|folder| !folder.as_os_str().is_empty())
            && environment.directory.join(STATE).is_dir()
            && !environment.flags.contains_key("STATE")
            && !is_typed(matches, "state")
        {
            settings.warnings.push(format!(
                "there are two states: {} is used, and ./{STATE} is not; give --state to choose",
                folder.join(STATE).display()
            ));
        }
        if let Some(folder) = state.or(file) {
            let path = folder.join(STATE).to_string_lossy().into_owned();
            settings.add("state".to_owned(), vec![path], SettingOrigin::Found);
        }
        if !environment.flags.is_empty() {
            settings.read_variables(command, environment);
        }
        settings.leave_to_saved(plan.as_deref());
        Ok(settings)
    }

    /// A saved plan is carried out as it was saved: its inputs are in it.
    fn leave_to_saved(&mut self, plan: Option<&Path>) {
        const SAVED: [&str; 7] = [
            "var-file",
            "inventory",
            "no-lock",
            "run-id",
            "only",
            "retry-failed",
            "dry-run",
        ];
        let is_of_plan = |of: &Setting| SAVED.contains(&of.flag.as_str());
        if let Some(plan) = plan
            && self.all.iter().any(is_of_plan)
            && files::text(plan).is_ok_and(|text| Saved::is_one(&text))
        {
            self.all.retain(|of| !is_of_plan(of));
        }
    }

    fn read_variables(&mut self, command: &Command, environment: &Environment) {
        let flags = flags(command);
        for (name, value) in &environment.flags {
            let flag = name.to_lowercase().replace('_', "-");
            let variable = format!("REDRILL_{name}");
            match flags.get(flag.as_str()) {
                Some(FlagArity::Many) => self.add(
                    flag,
                    value.split(',').map(str::to_owned).collect(),
                    SettingOrigin::Variable(variable),
                ),
                Some(_) => self.add(flag, vec![value.clone()], SettingOrigin::Variable(variable)),
                None if IN_CHECKS.contains(&name.as_str()) => {}
                None => {
                    let known = flags.keys().map(String::as_str);
                    let meant = did_you_mean(&flag, known).map(variable_of);
                    self.warnings.push(match meant {
                        Some(meant) => {
                            format!("{variable} is not a setting; did you mean {meant}?")
                        }
                        None => format!("{variable} is not a setting"),
                    });
                }
            }
        }
    }

    fn add(&mut self, flag: String, values: Vec<String>, origin: SettingOrigin) {
        self.all.push(Setting {
            command: None,
            flag,
            values,
            origin,
        });
    }

    /// The command line with these as the defaults of a command.
    pub(super) fn apply(&self, command: Command, name: &str) -> Command {
        if self.all.is_empty() || APART.contains(&name) {
            return command;
        }
        let command = command.mut_subcommand(name, |sub| self.with_defaults(name, sub));
        self.with_defaults(name, command)
    }

    fn with_defaults(&self, name: &str, command: Command) -> Command {
        command.mut_args(|arg| {
            let Some(long) = arg.get_long().map(str::to_owned) else {
                return arg;
            };
            match self.holds(name, &long) {
                Some(setting) if takes_defaults(arg.get_action()) => {
                    arg.default_values(setting.values.clone()).required(false)
                }
                _ => arg,
            }
        })
    }

    /// Returns the setting that holds for a flag of a command.
    pub(super) fn holds(&self, command: &str, flag: &str) -> Option<&Setting> {
        if TYPED.contains(&(command, flag)) {
            return None;
        }
        let is_for = |of: &&Setting| of.command.as_deref().is_none_or(|of| of == command);
        let of_flag = self.all.iter().filter(|of| of.flag == flag);
        of_flag.filter(is_for).max_by_key(|of| of.strength())
    }

    /// Each that is not overruled by another.
    pub(super) fn that_hold(&self) -> Vec<&Setting> {
        let all = self.all.iter();
        all.filter(|of| {
            let command = of.command.as_deref().unwrap_or("");
            self.holds(command, &of.flag) == Some(*of)
        })
        .collect()
    }

    /// The long names of all flags that can be set.
    pub(super) fn flags(command: &Command) -> Vec<String> {
        flags(command).into_keys().collect()
    }

    /// Tells the origin of a value that the command line refuses, by the name of its flag.
    pub(super) fn blames(&self, message: &str) -> Option<String> {
        let setting = self
            .all
            .iter()
            .find(|of| message.contains(&format!("'--{}", of.flag)))?;
        Some(format!("that value is from {}", setting.origin))
    }
}

/// `REDRILL_<FLAG>`.
pub(super) fn variable_of(flag: &str) -> String {
    format!("REDRILL_{}", flag.to_uppercase().replace('-', "_"))
}

/// Number of values that a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlagArity {
    Switch,
    One,
    Many,
}

fn takes_defaults(action: &ArgAction) -> bool {
    matches!(
        action,
        ArgAction::Set | ArgAction::Append | ArgAction::SetTrue
    )
}

/// Every flag that can be set, over all commands.
fn flags(command: &Command) -> BTreeMap<String, FlagArity> {
    let commands = command
        .get_subcommands()
        .filter(|sub| !APART.contains(&sub.get_name()));
    let all = commands.chain([command]).flat_map(Command::get_arguments);
    all.filter_map(|arg| {
        let kind = match arg.get_action() {
            ArgAction::SetTrue => FlagArity::Switch,
            ArgAction::Append => FlagArity::Many,
            ArgAction::Set => match arg.get_num_args() {
                Some(count) if count.max_values() > 1 => FlagArity::Many,
                _ => FlagArity::One,
            },
            _ => return None,
        };
        // `REDRILL_VAR_<NAME>` gives a variable.
        let long = arg.get_long().filter(|long| *long != "var")?;
        Some((long.to_owned(), kind))
    })
    .collect()
}

/// Returns true if a flag of the command was typed.
fn is_typed(matches: &ArgMatches, flag: &str) -> bool {
    let of = matches.subcommand().map(|(_, of)| of);
    of.is_some_and(|of| {
        matches!(of.try_contains_id(flag), Ok(true))
            && of.value_source(flag) == Some(ValueSource::CommandLine)
    })
}

/// The plan that a command line names.
fn plan(matches: &ArgMatches) -> Option<PathBuf> {
    let one = matches.try_get_one::<PathBuf>("plan").ok().flatten();
    let many = || matches.try_get_many::<PathBuf>("plans").ok().flatten();
    let plan = one.cloned().or_else(|| many()?.next().cloned())?;
    (plan != Path::new("-")).then_some(plan)
}

/// Folders from a plan's upward, then those from the working directory upward, as short as they can be written; each up to the
/// root of its repository, where there is one.
struct Upward(Vec<PathBuf>);

impl Upward {
    fn of(plan: Option<&Path>, directory: &Path) -> Self {
        let mut folders: Vec<PathBuf> = Vec::new();
        let folder = plan.and_then(Path::parent);
        let whole = folder.map(|folder| directory.join(folder));
        for start in whole.iter().map(PathBuf::as_path).chain([directory]) {
            for folder in start.ancestors() {
                folders.push(short(folder, directory));
                // Beyond the repository, things are somebody else's.
                if folder.join(".git").exists() {
                    break;
                }
            }
        }
        let mut seen = BTreeSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        Self(folders)
    }

    fn find(&self, is: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        self.0.iter().find(|folder| is(folder)).cloned()
    }
}

/// A folder as seen from the working directory.
fn short(folder: &Path, directory: &Path) -> PathBuf {
    match folder.strip_prefix(directory) {
        Ok(below) => below.to_owned(),
        Err(_) => folder.to_owned(),
    }
}

fn read(
    command: &Command,
    folder: &Path,
    path: &Path,
    text: &str,
) -> Result<Vec<Setting>, Failure> {
    let line_at = |at: usize| text[..at].matches('\n').count() + 1;
    let wrong = |at: usize, what: String| {
        Failure::Usage(format!("{}:{}: {what}", path.display(), line_at(at)))
    };
    let table = DeTable::parse(text).map_err(|err| {
        let at = err.span().map_or(0, |span| span.start);
        wrong(at, err.message().to_owned())
    })?;
    let commands: BTreeMap<&str, &Command> = command
        .get_subcommands()
        .filter(|sub| !APART.contains(&sub.get_name()))
        .map(|sub| (sub.get_name(), sub))
        .collect();
    let mut settings = Vec::new();
    let mut take = |of: Option<&str>,
                    known: &BTreeMap<String, FlagArity>,
                    key: &Spanned<std::borrow::Cow<'_, str>>,
                    value: &Spanned<DeValue<'_>>| {
        let flag = key.get_ref().replace('_', "-");
        let at = key.span().start;
        let Some(kind) = known.get(&flag) else {
            let meant = did_you_mean(&flag, known.keys().map(String::as_str));
            let meant = meant.map_or_else(
                || "`redrill config --all` lists every one".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            return Err(wrong(at, format!("`{flag}` is not a setting; {meant}")));
        };
        if DECISIONS.contains(&flag.as_str()) {
            return Err(wrong(
                at,
                format!(
                    "`{flag}` is decided for one run at a time: give --{flag}, or set {}",
                    variable_of(&flag)
                ),
            ));
        }
        let values = texts(value.get_ref())
            .filter(|values| *kind == FlagArity::Many || values.len() == 1)
            .ok_or_else(|| wrong(at, format!("`{flag}` takes {}", expected(*kind))))?;
        let values = values
            .into_iter()
            .map(|value| relative(&flag, value, folder))
            .collect();
        settings.push(Setting {
            command: of.map(str::to_owned),
            flag,
            values,
            origin: SettingOrigin::Line(path.to_owned(), line_at(at)),
        });
        Ok(())
    };
    let everywhere = flags(command);
    for (key, value) in table.get_ref().iter() {
        match (value.get_ref(), commands.get(key.get_ref().as_ref())) {
            (DeValue::Table(own), Some(command)) => {
                let known = flags_of(command);
                for (key, value) in own.iter() {
                    take(Some(command.get_name()), &known, key, value)?;
                }
            }
            (DeValue::Table(_), None) => {
                let name = key.get_ref();
                let meant = did_you_mean(name, commands.keys().copied());
                let meant =
                    meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
                let message = format!("no command is named `{name}`{meant}");
                return Err(wrong(key.span().start, message));
            }
            _ => take(None, &everywhere, key, value)?,
        }
    }
    Ok(settings)
}

fn flags_of(command: &Command) -> BTreeMap<String, FlagArity> {
    flags(&Command::new("redrill").subcommand(command.clone()))
}

fn expected(kind: FlagArity) -> &'static str {
    match kind {
        FlagArity::Switch => "true or false",
        FlagArity::One => "one value",
        FlagArity::Many => "a value, or a list of values",
    }
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    Some(match value {
        DeValue::Array(items) => {
            let items = items.iter().map(|item| texts(item.get_ref()));
            items.collect::<Option<Vec<_>>>()?.concat()
        }
        DeValue::String(text) => vec![text.to_string()],
        DeValue::Boolean(value) => vec![value.to_string()],
        DeValue::Integer(number) => vec![number.as_str().to_owned()],
        DeValue::Float(number) => vec![number.as_str().to_owned()],
        DeValue::Datetime(_) | DeValue::Table(_) => return None,
    })
}

/// A path of a file is relative to the file.
fn relative(flag: &str, value: String, folder: &Path) -> String {
    let join = |path: &str| folder.join(path).to_string_lossy().into_owned();
    match flag {
        "report" => match value.split_once('=') {
            Some((format, path)) => format!("{format}={}", join(path)),
            None => value,
        },
        _ if PATHS.contains(&flag) && !value.contains("://") => join(&value),
        _ => value,
    }
}
