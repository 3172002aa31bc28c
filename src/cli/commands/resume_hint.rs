//! Hints on how to go on.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Context;
use crate::cli::arguments::InputOptions;
use crate::diagnostic::is_hidden;
use crate::plan::Planner;
use crate::render::REDACTED;

const VAR: &str = "--var";
/// Options that say who starts the restores of a run, and with what.
pub(super) const ON: &str = "--on";
pub(super) const STATE_MACHINE: &str = "--state-machine";

/// The command as it was typed, for the line that says how to go on.
#[derive(Clone, Debug, Default)]
pub(super) struct ResumeHint {
    /// To be pasted into a shell. No secret is in it, and nothing that stands for one.
    pub(super) command: String,
    /// The same for the whole plan: without `--only`.
    pub(super) whole: String,
    /// The secrets that were typed, by name: they have to be given again.
    secrets: Vec<String>,
    /// True if an address was typed with a part that may be secret, which is left out.
    is_address_cut: bool,
}

/// Place where a command works, as options for the next one: its state, endpoint, profile and Region.
#[derive(Clone, Debug, Default)]
pub(super) struct CommandPlace {
    /// With a space before each word; nothing where nothing was typed.
    pub(super) words: String,
    pub(super) names_endpoint: bool,
}

impl CommandPlace {
    pub(super) fn of(context: &Context<'_>) -> Self {
        const OPTIONS: [&str; 5] = [
            "--state",
            "--state-profile",
            "--endpoint-url",
            "--profile",
            "--region",
        ];
        let mut place = Self::default();
        let mut words = context.environment.typed().into_iter();
        while let Some(word) = words.next() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if !OPTIONS.contains(&option) {
                continue;
            }
            let value = value.or_else(|| words.next()).unwrap_or_default();
            let value = match option {
                "--endpoint-url" => without_secrets(&value).into_owned(),
                _ => value,
            };
            place.names_endpoint |= option == "--endpoint-url";
            let _ = write!(place.words, " {option} {}", quoted(&value));
        }
        place
    }
}

/// A file as a word that is none of the options.
fn as_argument(path: &Path) -> String {
    let path = path.to_string_lossy().into_owned();
    match path.starts_with('-') {
        true => format!("./{path}"),
        false => path,
    }
}

/// An address without its user and query: either may be a password.
fn without_secrets(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Cow::Borrowed(url);
    };
    let (rest, query) = match rest.find(['?', '#']) {
        Some(at) => (&rest[..at], true),
        None => (rest, false),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let user = rest[..end].rfind('@').map(|at| at + 1);
    if user.is_none() && !query {
        return Cow::Borrowed(url);
    }
    Cow::Owned(format!("{scheme}://{}", &rest[user.unwrap_or_default()..]))
}

impl ResumeHint {
    /// The command of this process, for a plan.
    pub(super) fn of(context: &Context<'_>, planner: &Planner) -> Self {
        let program = context.environment.program.clone();
        let again = Self::typed(program.clone(), context.environment.typed(), planner);
        let whole = Self::typed(program, without_only(context.environment.typed()), planner);
        Self {
            whole: whole.command,
            ..again
        }
    }

    /// Only the command for the whole plan.
    pub(super) fn for_the_whole(self) -> Self {
        Self {
            command: String::new(),
            ..self
        }
    }

    /// The same for another run: without its id, which is to follow.
    pub(super) fn anew(context: &Context<'_>, planner: &Planner) -> Self {
        Self::without(&["--run-id"], context, planner)
    }

    /// The same without some options, each of which has a value.
    pub(super) fn without(options: &[&str], context: &Context<'_>, planner: &Planner) -> Self {
        let mut typed = Vec::new();
        let mut words = context.environment.typed().into_iter();
        while let Some(word) = words.next() {
            match word.split_once('=') {
                None if options.contains(&&*word) => {
                    words.next();
                }
                Some((option, _)) if options.contains(&option) => {}
                _ => typed.push(word),
            }
        }
        Self::typed(context.environment.program.clone(), typed, planner)
    }

    /// A command that takes the same plan with the same inputs and goes to AWS.
    pub(super) fn at_aws(
        command: &str,
        (plan, inputs, only): (&Path, &InputOptions, &[String]),
        context: &Context<'_>,
        planner: &Planner,
    ) -> Self {
        let mut words = vec![command.to_owned(), as_argument(plan)];
        if inputs.run_id != "main" {
            words.extend(["--run-id".to_owned(), inputs.run_id.to_string()]);
        }
        for file in &inputs.var_files {
            words.extend(["--var-file".to_owned(), file.to_string_lossy().into_owned()]);
        }
        for (name, value) in &inputs.vars {
            words.extend([VAR.to_owned(), format!("{name}={value}")]);
        }
        if inputs.no_lock {
            words.push("--no-lock".to_owned());
        }
        if !only.is_empty() {
            words.push(format!("--only={}", only.join(",")));
        }
        Self::typed(context.environment.program.clone(), words, planner)
    }

    fn typed(program: String, typed: Vec<String>, planner: &Planner) -> Self {
        const ONCE: [&str; 4] = ["--retry-failed", "--adopt", "--start-anyway", "--take-over"];
        let secrets = planner.secrets();
        let mut again = Self {
            command: quoted(&program),
            ..Self::default()
        };
        let mut words = typed.into_iter();
        let mut is_behind = false;
        while let Some(word) = words.next() {
            // Behind `--` no word is an option, and options that are added to the command have to be.
            if is_behind || word == "--" {
                if is_behind {
                    let shown = secrets.redact_text(&word).replace(REDACTED, "…");
                    let _ = write!(again.command, " {}", quoted_path(&shown));
                }
                is_behind = true;
                continue;
            }
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            if ONCE.contains(&option) {
                continue;
            }
            if option == VAR {
                let given = value.or_else(|| words.next()).unwrap_or_default();
                let name = given.split('=').next().unwrap_or_default().to_owned();
                let is_secret = matches!(planner.variables().get(&name), Some(None));
                if is_secret || secrets.redact_text(&given) != given {
                    again.secrets.push(name);
                } else {
                    let _ = write!(again.command, " --var {}", quoted(&given));
                }
                continue;
            }
            if option == "--endpoint-url" {
                let given = value.or_else(|| words.next()).unwrap_or_default();
                let shown = without_secrets(&given);
                again.is_address_cut |= shown != given;
                let _ = write!(again.command, " --endpoint-url {}", quoted(&shown));
                continue;
            }
            let shown = secrets.redact_text(&word);
            // A word that cannot be shown is left for whoever typed it.
            let shown = shown.replace(REDACTED, "…");
            let _ = write!(again.command, " {}", quoted(&shown));
        }
        again.secrets.dedup();
        again
    }

    /// Returns what else has to be given, as a line; none if the command is enough.
    pub(super) fn besides(&self) -> Option<String> {
        let address = match self.is_address_cut {
            true => "give --endpoint-url with its user or query again, which is not printed\n",
            false => "",
        };
        if self.secrets.is_empty() {
            return self.is_address_cut.then(|| address.to_owned());
        }
        let names: Vec<String> = self
            .secrets
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        Some(format!(
            "give {} again, which is not printed: with --var, in a --var-file, or as REDRILL_VAR_<NAME>\n{address}",
            names.join(" and ")
        ))
    }
}

/// The options that say what a plan means, as words; of a secret only its name.
pub(super) fn typed_again(
    inputs: &InputOptions,
    profile: Option<&str>,
    planner: &Planner,
) -> Vec<String> {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let named = |option: &str, value: String| [option.to_owned(), value];
    let files = inputs
        .var_files
        .iter()
        .map(|of| named("--var-file", text(of)));
    let vars = inputs.vars.iter().map(|(name, value)| {
        let given = format!("{name}={value}");
        let is_secret = matches!(planner.variables().get(name), Some(None))
            || planner.secrets().redact_text(&given) != given;
        named(VAR, if is_secret { name.clone() } else { given })
    });
    let inventories = inputs
        .inventory
        .iter()
        .map(|of| named("--inventory", text(of)));
    let profile = profile.map(|profile| named("--profile", profile.to_owned()));
    let mut words: Vec<String> = (files.chain(vars).chain(inventories).chain(profile))
        .flatten()
        .collect();
    if inputs.no_lock {
        words.push("--no-lock".to_owned());
    }
    words
}

/// Recorded options without who starts the restores.
pub(super) fn without_on(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            ON | STATE_MACHINE => {
                words.next();
            }
            _ => kept.push(word.clone()),
        }
    }
    kept
}

/// The state machines among recorded options.
pub(super) fn machines_of(words: &[String]) -> impl Iterator<Item = &str> {
    let pairs = words.iter().zip(words.iter().skip(1));
    let named = pairs.filter(|(option, _)| *option == STATE_MACHINE);
    named.map(|(_, arn)| arn.as_str())
}

/// Recorded options as a command has them, behind a space each, and the secrets that are to be given besides.
pub(super) fn recorded_options(words: &[String]) -> (String, Vec<&str>) {
    let (mut text, mut secrets) = (String::new(), Vec::new());
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let value = match word {
            "--no-lock" => None,
            _ => words.next(),
        };
        match value {
            Some(name) if word == VAR && !name.contains('=') => secrets.push(name),
            Some(value) => {
                let _ = write!(text, " {word} {}", quoted(value));
            }
            None => {
                let _ = write!(text, " {word}");
            }
        }
    }
    (text, secrets)
}

/// The words of a command but `--only` and the names behind it.
fn without_only(typed: Vec<String>) -> Vec<String> {
    let mut is_name = false;
    let mut kept = Vec::new();
    for word in typed {
        match word.as_str() {
            "--only" => is_name = true,
            _ if word.starts_with("--only=") => is_name = false,
            _ if is_name && !word.starts_with('-') => {}
            _ => {
                is_name = false;
                kept.push(word);
            }
        }
    }
    kept
}

/// The same of a file, which is none of the options even where its name begins like one.
pub(super) fn quoted_path(path: &str) -> String {
    quoted(&as_argument(Path::new(path)))
}

/// A word as a shell reads it; what is not seen is written out, as in the `$'…'` of every shell of today.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains(is_hidden) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if is_hidden(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Three digits, which no digit behind them can make another.
                    let _ = write!(quoted, "\\{byte:03o}");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::{quoted, without_secrets};

    #[test]
    fn an_address_to_paste_has_no_user_and_no_query() {
        for (url, shown) in [
            ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
            ("http://127.0.0.1:4566/a@b/", "http://127.0.0.1:4566/a@b/"),
            ("http://bob:hunter2@host:1/x", "http://host:1/x"),
            ("http://a@b:c@host", "http://host"),
            ("https://host/x?token=hunter2", "https://host/x"),
            ("https://host?token=hunter2#y", "https://host"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn reliability_r6_25_a_word_to_paste_is_one_word_without_controls() {
        for (word, shown) in [
            ("plan.yaml", "plan.yaml"),
            ("", "''"),
            ("it's; rm", r"'it'\''s; rm'"),
            ("a\u{1b}[31m'b\\\n", r"$'a\033[31m\'b\\\012'"),
            ("\u{202e}x", r"$'\342\200\256x'"),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
