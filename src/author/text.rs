//! The layout of a new plan: values in YAML, what they mean as comments.

use std::fmt::Write as _;

use serde_json::Value;

use super::draft::{Proposal, Proposed};
use super::mapped::Variables;
use super::names::slug;
use super::{Chosen, Head};

/// Comments are broken after this.
const WIDTH: usize = 110;
/// With a restore's name and a usual run id it is a creation token of EFS, which has 64.
const LONGEST_PLAN: usize = 16;

/// One restore to write.
pub(super) struct Restore<'a> {
    pub(super) name: &'a str,
    pub(super) resource_type: &'a str,
    pub(super) schema: Option<&'a Value>,
    pub(super) chosen: &'a Chosen,
    pub(super) proposal: &'a Proposal,
    /// What is still to be mended.
    pub(super) remarks: &'a [String],
    /// What it writes into, where that exists already.
    pub(super) into: Option<&'a str>,
}

/// The whole plan.
pub(super) fn plan(head: &Head, variables: &Variables, restores: &[Restore<'_>]) -> String {
    let mut text = String::new();
    let name: String = slug(&head.plan).chars().take(LONGEST_PLAN).collect();
    let name = match name.trim_end_matches('-') {
        "" => "restore",
        name => name,
    };
    text.push_str("# yaml-language-server: $schema=plan.schema.json\n");
    comment(
        &mut text,
        "",
        "Written by `redrill init`: one restore for the latest recovery point of each resource. Read it, change it, and \
         keep it. `redrill schema plan > plan.schema.json` makes the file that the first line names, for your editor.",
    );
    text.push_str(
        "#\n#   redrill validate PLAN\n#   redrill rehearse PLAN\n#   redrill plan PLAN\n",
    );
    entry(&mut text, "", "plan", &name.into());
    if variables.iter().next().is_some() {
        text.push_str("\n# What belongs to the place that is restored into. The defaults are what the source has, where\n# that is of this account and Region; check those that AWS did not return.\nvars:\n");
        for (name, default, description) in variables.iter() {
            let of = serde_json::json!({ "description": description, "default": default });
            entry(&mut text, "  ", name, &of);
        }
    }
    text.push_str("\ntarget:\n");
    entry(&mut text, "  ", "region", &head.region.as_str().into());
    entry(&mut text, "  ", "account", &head.account.as_str().into());
    comment(
        &mut text,
        "  ",
        "The role that AWS Backup assumes. This is its default one; it needs the policies for restores.",
    );
    let partition = restores
        .first()
        .and_then(|restore| restore.chosen.point.arn.split(':').nth(1))
        .unwrap_or("aws");
    let role = format!(
        "arn:{partition}:iam::{}:role/service-role/AWSBackupDefaultServiceRole",
        head.account
    );
    entry(&mut text, "  ", "iam_role_arn", &role.into());
    text.push_str("\nrestores:\n");
    let mut of_type = None;
    for (at, restore) in restores.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        if of_type != Some(restore.resource_type) {
            of_type = Some(restore.resource_type);
            heading(&mut text, restore);
        }
        write_restore(&mut text, restore);
    }
    text
}

/// What to know of a type before its restores.
fn heading(text: &mut String, restore: &Restore<'_>) {
    let Some(schema) = restore.schema else {
        comment(
            text,
            "  ",
            &format!(
                "{}: redrill has no rules for this type; its metadata is as AWS returned it.",
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

fn write_restore(text: &mut String, restore: &Restore<'_>) {
    let point = &restore.chosen.point;
    entry_of_map(text, "  ", restore.name);
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
    comment(text, "    ", &about);
    entry(text, "    ", "type", &restore.resource_type.into());
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
    if restore.proposal.entries.is_empty() {
        text.push_str("    metadata: {}\n");
    } else {
        text.push_str("    metadata:\n");
    }
    for proposed in &restore.proposal.entries {
        comment(text, "      ", &about_key(proposed));
        entry(text, "      ", &proposed.key, &proposed.value);
    }
    if !restore.proposal.left_out.is_empty() {
        text.push_str("      # Not sent back:\n");
        for (key, reason) in &restore.proposal.left_out {
            comment(text, "      ", &format!("- {key}: {reason}"));
        }
    }
    for remark in restore.remarks {
        comment(text, "      ", &format!("To be mended: {remark}"));
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
