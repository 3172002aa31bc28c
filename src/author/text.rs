//! The layout of a new plan: values in YAML, what they mean as comments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::draft::{Proposal, Proposed};
use super::mapped::Variables;
use super::names::slug;
use super::{AccountRegion, ChosenPoint, Head};
use crate::ids::{Arn, RegionName};

/// Comments are broken after this.
const WIDTH: usize = 110;
/// With a restore's name and a usual run id it is a creation token of EFS, which has 64.
const LONGEST_PLAN: usize = 16;

/// One restore to write.
pub(super) struct RestoreText<'a> {
    pub(super) name: &'a str,
    pub(super) resource_type: &'a str,
    pub(super) schema: Option<&'a Value>,
    pub(super) chosen: &'a ChosenPoint,
    pub(super) proposal: &'a Proposal,
    /// Remarks on what is still to be mended.
    pub(super) remarks: &'a [String],
    /// Resource that it writes into, if that exists already.
    pub(super) into: Option<&'a str>,
}

/// The whole plan.
pub(super) fn plan(
    head: &Head,
    variables: &Variables,
    restores: &[RestoreText<'_>],
    groups: &BTreeMap<usize, (String, Vec<usize>)>,
) -> String {
    let mut text = String::new();
    let name: String = slug(&head.plan).chars().take(LONGEST_PLAN).collect();
    let name = match name.trim_end_matches('-') {
        "" => "restore",
        name => name,
    };
    comment(
        &mut text,
        "",
        "Written by `redrill init`: one restore for the latest recovery point of each resource. Read it, change it, and \
         keep it. A key is explained where it is first used by a type; `redrill explain TYPE` has all of them. For completion in \
         your editor, run `redrill schema plan > plan.schema.json` and begin this file with:",
    );
    text.push_str("#\n#   # yaml-language-server: $schema=plan.schema.json\n");
    entry(&mut text, "", "plan", &name.into());
    if variables.iter().next().is_some() {
        text.push_str("\n# What belongs to the place that is restored into. The defaults are what the source has, where\n# that is of this account and Region; check those that AWS did not return.\nvars:\n");
        for (name, default, description) in variables.iter() {
            let of = serde_json::json!({ "description": description, "default": default });
            entry(&mut text, "  ", name, &of);
        }
    }
    let targets = targets(head, restores, &mut text);
    text.push_str("\nrestores:\n");
    let mut of_type = None;
    let mut said = BTreeSet::new();
    let in_blocks: BTreeSet<usize> = groups.values().flat_map(|(_, all)| all).copied().collect();
    for (at, restore) in restores.iter().enumerate() {
        if in_blocks.contains(&at) && !groups.contains_key(&at) {
            continue;
        }
        if at > 0 {
            text.push('\n');
        }
        if of_type != Some(restore.resource_type) {
            of_type = Some(restore.resource_type);
            said.clear();
            heading(&mut text, restore);
        }
        let target = targets.get(restore.chosen.place).map(String::as_str);
        match groups.get(&at) {
            Some((name, all)) => {
                let all: Vec<&RestoreText<'_>> = all.iter().map(|at| &restores[*at]).collect();
                write_block(&mut text, name, &all, target, &mut said);
            }
            None => write_restore(&mut text, restore, target, &mut said),
        }
    }
    text
}

/// The names of the targets, by place, if there are several.
fn targets(head: &Head, restores: &[RestoreText<'_>], text: &mut String) -> Vec<String> {
    const ROLE: &str = "The role that AWS Backup assumes. This is its default one; it needs the policies for restores.";
    let partition = restores.first().map_or("aws", |restore| {
        Arn::partition_of(&restore.chosen.point.arn)
    });
    let place = |text: &mut String, indent: &str, place: &AccountRegion| {
        entry(text, indent, "region", &place.region.as_str().into());
        entry(text, indent, "account", &place.account.as_str().into());
    };
    let role = |text: &mut String, indent: &str, place: &AccountRegion| {
        let role = format!(
            "arn:{partition}:iam::{}:role/service-role/AWSBackupDefaultServiceRole",
            place.account
        );
        entry(text, indent, "iam_role_arn", &role.into());
    };
    if let [one] = &head.places[..] {
        text.push_str("\ntarget:\n");
        place(text, "  ", one);
        comment(text, "  ", ROLE);
        role(text, "  ", one);
        return Vec::new();
    }
    text.push_str("\ntargets:\n");
    comment(text, "  ", ROLE);
    comment(
        text,
        "  ",
        "Credentials of another account: `assume_role_arn` names the role in which redrill calls AWS Backup there.",
    );
    let is_alone =
        |region: &RegionName| head.places.iter().filter(|of| of.region == *region).count() == 1;
    let names = head.places.iter().map(|of| match is_alone(&of.region) {
        true => of.region.to_string(),
        false => format!("{}-{}", of.region, of.account),
    });
    let names: Vec<String> = names.collect();
    for (name, of) in names.iter().zip(&head.places) {
        entry_of_map(text, "  ", name);
        place(text, "    ", of);
        role(text, "    ", of);
    }
    names
}

/// Writes the notes on a type before its restores.
fn heading(text: &mut String, restore: &RestoreText<'_>) {
    let Some(schema) = restore.schema else {
        comment(
            text,
            "  ",
            &format!(
                "{}: redrill does not know this type; its metadata is as AWS returned it.",
                restore.resource_type
            ),
        );
        return;
    };
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    comment(
        text,
        "  ",
        &format!("{}: {}", restore.resource_type, of(&schema["description"])),
    );
    let notes = schema["x-redrill"]["notes"].as_array();
    for note in notes.into_iter().flatten() {
        comment(text, "  ", &format!("- {}", of(note)));
    }
    let _ = writeln!(text, "  # {}", of(&schema["x-redrill"]["url"]));
}

/// The resource of a recovery point.
fn about(restore: &RestoreText<'_>) -> String {
    let point = &restore.chosen.point;
    let mut about = format!("{}, in vault {}", point.resource_arn, point.vault);
    if let Some(at) = point.created_at {
        let _ = write!(about, ", of {at}");
    }
    if let Some(bytes) = point.size_bytes.filter(|bytes| *bytes > 0) {
        let _ = write!(about, ", {}", size(bytes));
    }
    if let Some(at) = point.expires_at {
        let _ = write!(about, ", deleted at {at}");
    }
    about
}

/// Equal restores, of which each has its own recovery point.
fn write_block(
    text: &mut String,
    name: &str,
    all: &[&RestoreText<'_>],
    target: Option<&str>,
    said: &mut BTreeSet<String>,
) {
    entry_of_map(text, "  ", name);
    let words = format!(
        "{} restores that differ only in their recovery points, such as `{name}[{}]`.",
        all.len(),
        all[0].name
    );
    comment(text, "    ", &words);
    text.push_str("    for_each:\n");
    for restore in all {
        comment(text, "      ", &about(restore));
        let arn = restore.chosen.point.arn.as_str();
        entry(text, "      ", restore.name, &arn.into());
    }
    entry(text, "    ", "type", &all[0].resource_type.into());
    if let Some(target) = target {
        entry(text, "    ", "target", &target.into());
    }
    entry(text, "    ", "recovery_point", &"{{ each.value }}".into());
    let rename = |value: &Value| of_item(value);
    metadata(text, all[0], rename, said);
}

/// A value of one restore as it is for each of a block: `restore` would be `block[item]` there.
fn of_item(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("{{") => Value::String(of_each(text)),
        Value::Array(items) => items.iter().map(of_item).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), of_item(value)))
            .collect(),
        other => other.clone(),
    }
}

/// A template with `each.key` in place of `restore`, where that is a name and no text.
fn of_each(template: &str) -> String {
    let mut renamed = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, inside)) = rest.split_once("{{") {
        let (inside, behind) = inside.split_once("}}").unwrap_or((inside, ""));
        renamed.push_str(before);
        renamed.push_str("{{");
        // Every second part is between quotes.
        for (at, part) in inside.split('\'').enumerate() {
            if at > 0 {
                renamed.push('\'');
            }
            if at % 2 == 1 {
                renamed.push_str(part);
                continue;
            }
            let is_name = |c: char| c.is_alphanumeric() || "_.".contains(c);
            for word in part.split_inclusive(|c| !is_name(c)) {
                let name = word.trim_end_matches(|c| !is_name(c));
                match name {
                    "restore" => {
                        renamed.push_str("each.key");
                        renamed.push_str(&word[name.len()..]);
                    }
                    _ => renamed.push_str(word),
                }
            }
        }
        renamed.push_str("}}");
        rest = behind;
    }
    renamed.push_str(rest);
    renamed
}

fn write_restore(
    text: &mut String,
    restore: &RestoreText<'_>,
    target: Option<&str>,
    said: &mut BTreeSet<String>,
) {
    let point = &restore.chosen.point;
    entry_of_map(text, "  ", restore.name);
    comment(text, "    ", &about(restore));
    entry(text, "    ", "type", &restore.resource_type.into());
    if let Some(target) = target {
        entry(text, "    ", "target", &target.into());
    }
    match &point.vault_account {
        None => entry(text, "    ", "recovery_point", &point.arn.as_str().into()),
        Some(account) => {
            comment(
                text,
                "    ",
                "Another account shares the vault: AWS only reads it with both names.",
            );
            let placed = serde_json::json!({ "arn": point.arn, "vault": point.vault, "vault_account": account });
            entry(text, "    ", "recovery_point", &placed);
        }
    }
    if let Some(into) = restore.into {
        let words = format!(
            "It writes into {into}. Name one of the drill, never a live one. `redrill run` asks about that apart, unless the restore says:"
        );
        comment(text, "    ", &words);
        text.push_str("    # into_existing: true\n");
    }
    metadata(text, restore, Value::clone, said);
}

/// The metadata of a restore; what was said of a key is not said again.
fn metadata(
    text: &mut String,
    restore: &RestoreText<'_>,
    value: impl Fn(&Value) -> Value,
    said: &mut BTreeSet<String>,
) {
    if restore.proposal.entries.is_empty() {
        text.push_str("    metadata: {}\n");
    } else {
        text.push_str("    metadata:\n");
    }
    for proposed in &restore.proposal.entries {
        let about = about_key(proposed);
        if said.insert(format!("{} {about}", proposed.key)) {
            comment(text, "      ", &about);
        }
        entry(text, "      ", &proposed.key, &value(&proposed.value));
    }
    let left_out = restore.proposal.left_out.iter();
    let lines: Vec<String> = left_out
        .map(|(key, reason)| format!("- {key}: {reason}"))
        .filter(|line| said.insert(line.clone()))
        .collect();
    if !lines.is_empty() {
        text.push_str("      # Not sent back:\n");
        for line in &lines {
            comment(text, "      ", line);
        }
    }
    for remark in restore.remarks {
        comment(text, "      ", &format!("To fix: {remark}"));
    }
}

fn about_key(proposed: &Proposed) -> String {
    let meaning = proposed.meaning.clone().unwrap_or_else(|| {
        "As AWS returned it; no page of AWS that redrill knows lists it.".to_owned()
    });
    match &proposed.why {
        Some(why) => format!("{meaning} {why}."),
        None => meaning,
    }
}

/// A line, or several.
fn comment(text: &mut String, indent: &str, words: &str) {
    let mut line = String::new();
    let mut more = "";
    for word in words.split_whitespace() {
        if !line.is_empty() && indent.len() + line.len() + word.len() > WIDTH {
            let _ = writeln!(text, "{indent}#{more} {line}");
            line.clear();
            more = if words.starts_with("- ") { "  " } else { "" };
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "{indent}#{more} {line}");
}

fn entry_of_map(text: &mut String, indent: &str, key: &str) {
    entry(text, indent, key, &Value::Null);
    // A map follows in place of the null.
    let null = " null\n";
    if text.ends_with(null) {
        text.truncate(text.len() - null.len());
        text.push('\n');
    }
}

/// A key and its value as YAML has them, indented.
fn entry(text: &mut String, indent: &str, key: &str, value: &Value) {
    // A template often holds single quotes, which single quotes around it would double.
    if let Value::String(template) = value
        && template.contains("{{")
        && !template.contains(['"', '\\'])
        && !template.contains(char::is_control)
    {
        entry_of_map(text, indent, key);
        text.truncate(text.trim_end_matches('\n').len());
        let _ = writeln!(text, " \"{template}\"");
        return;
    }
    let map = Value::Object([(key.to_owned(), value.clone())].into_iter().collect());
    // Every value of JSON is one of YAML.
    let lines = serde_yaml::to_string(&map).unwrap_or_default();
    for line in lines.lines() {
        match line.is_empty() {
            true => text.push('\n'),
            false => {
                let _ = writeln!(text, "{indent}{line}");
            }
        }
    }
}

fn size(bytes: i64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::of_each;

    #[test]
    fn a_block_names_each_of_its_restores() {
        for (one, each) in [
            (
                "{{ restore }}-{{ run.id | slug }}",
                "{{ each.key }}-{{ run.id | slug }}",
            ),
            ("restore-{{ run.id }}", "restore-{{ run.id }}"),
            ("{{ vars.restore_time }}", "{{ vars.restore_time }}"),
            (
                "{{ (plan ~ '-restore-' ~ restore) | truncate(64) }}",
                "{{ (plan ~ '-restore-' ~ each.key) | truncate(64) }}",
            ),
            ("{{restore}}", "{{each.key}}"),
        ] {
            assert_eq!(of_each(one), each);
        }
    }
}
