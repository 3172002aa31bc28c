//! The entries of `allow` themselves, where restores run, and whether a drill has walls.

use std::collections::BTreeMap;

use super::{AllowEntry, DIRECTIONS, EntryForm, Walls};
use crate::diagnostic::{Finding, Findings, Severity, did_you_mean, rule};
use crate::ids::Arn;
use crate::parse::{Document, DrillRuns};
use crate::render::Target;
use crate::rules::Wall;
use crate::validate::Bounds;
use crate::validate::arn::{is_account, is_region};
use crate::validate::protect::matches;

/// Checks what belongs to no single restore.
pub(in crate::validate) fn check_entries(
    document: &Document,
    targets: &[Target],
    targets_pending: &[bool],
    bounds: Bounds<'_>,
    findings: &mut Findings,
) {
    drill(document, bounds, findings);
    let Some(walls) = bounds.walls else {
        return;
    };
    let mut seen: BTreeMap<&str, &AllowEntry> = BTreeMap::new();
    for entry in &walls.entries {
        let found = flaw(entry).map(|(rule, severity, message, help)| {
            Finding::at(&document.source, entry.span, rule, message, help).weighing(severity)
        });
        findings.extend(found);
        findings.extend(
            of_no_target(entry, targets)
                .map(|(message, help)| {
                    Finding::at(
                        &document.source,
                        entry.span,
                        rule::ALLOW_PATTERN,
                        message,
                        help,
                    )
                })
                .map(|finding| finding.weighing(Severity::Warning)),
        );
        if let Some(first) = seen.insert(&entry.text, entry) {
            findings.push(
                Finding::at(
                    &document.source,
                    entry.span,
                    rule::ALLOW_REPEATED,
                    format!("`{}` is in the list twice", entry.text),
                    "remove one of the two",
                )
                .also(first.span, "written here first"),
            );
        }
    }
    let all = document.targets.iter().zip(targets).zip(targets_pending);
    for ((written, target), _) in all.filter(|(_, is_pending)| !**is_pending) {
        let parts = [
            (
                &written.account,
                EntryForm::Account,
                "the account",
                target.account.as_str(),
            ),
            (
                &written.region,
                EntryForm::Region,
                "the Region",
                target.region.as_str(),
            ),
        ];
        for (node, form, called, text) in parts {
            let is_in = |entry: &AllowEntry| entry.form == form && entry.text == *text;
            let is_inside = !walls.has(form) || walls.entries.iter().any(is_in);
            if let (Some(node), false, false) = (node, is_inside, walls.has_pending) {
                let of_form = walls.list(form);
                let written = match form {
                    EntryForm::Account => format!("`\"{text}\"`"),
                    _ => format!("`{text}`"),
                };
                findings.push(
                    Finding::at(
                        &document.source,
                        node.span,
                        rule::ALLOW_OUTSIDE,
                        format!("{called} `{text}` is not in `allow`, which has {of_form}"),
                        format!("restore into one of those, or add {written} to `allow` if restores may go there"),
                    )
                    .also(walls.span, "allowed here"),
                );
            }
        }
    }
}

/// A pattern that an account or a Region of the plan matches: these are written in full, so that it holds neither.
fn of_no_target(entry: &AllowEntry, targets: &[Target]) -> Option<(String, String)> {
    let text = entry.text.as_str();
    if entry.form != EntryForm::Name || text.starts_with('*') || !text.contains('*') {
        return None;
    }
    let mut parts = targets.iter().flat_map(|target| {
        [
            ("account", target.account.as_str()),
            ("Region", target.region.as_str()),
        ]
    });
    let (called, part) = parts.find(|(_, part)| matches(text, part))?;
    let written = match called {
        "account" => format!("`\"{part}\"`"),
        _ => format!("`{part}`"),
    };
    Some((
        format!("`{text}` is a pattern of names, and holds no {called}"),
        format!("write each {called} in full, such as {written}"),
    ))
}

/// A drill has walls; a rehearsal of it goes nowhere, and is told.
fn drill(document: &Document, bounds: Bounds<'_>, findings: &mut Findings) {
    let Some(drill) = &document.drill else {
        return;
    };
    let is_one = match &drill.value {
        DrillRuns::All => true,
        DrillRuns::Matching(pattern) => {
            let sign = ["?", "[", "]", "(", ")", "|", "^", "$", "{", "}", "\\"];
            if let Some(sign) = sign.iter().find(|sign| pattern.contains(**sign)) {
                findings.push(Finding::at(
                    &document.source,
                    drill.span,
                    rule::ALLOW_PATTERN,
                    format!("`{sign}` is in no run id, so that no run is a drill"),
                    "the only pattern is `*`, which is any text: `drill: \"drill-*\"`",
                ));
            }
            // A slip of the shift key is no way out of the walls.
            matches(
                &pattern.to_lowercase(),
                &bounds.run_id.as_str().to_lowercase(),
            )
        }
    };
    if !is_one || document.allow.is_some() {
        return;
    }
    let message = match &drill.value {
        DrillRuns::All => {
            "this plan is a drill, and has no `allow`: nothing keeps its restores out of production"
                .to_owned()
        }
        DrillRuns::Matching(_) => format!(
            "the run `{}` is a drill, and the plan has no `allow`: nothing keeps its restores out of production",
            bounds.run_id
        ),
    };
    let help = "add what the drill may restore into: `allow: [\"123456789012\", us-west-2, subnet-0a1b2c3d, sg-0a1b2c3d]`";
    let finding = Finding::at(
        &document.source,
        drill.span,
        rule::ALLOW_DRILL,
        message,
        help,
    );
    findings.push(match bounds.is_rehearsal {
        true => finding.weighing(Severity::Warning),
        false => finding,
    });
}

type Flaw = (&'static crate::diagnostic::Rule, Severity, String, String);

/// Finds the flaw of an entry by itself.
fn flaw(entry: &AllowEntry) -> Option<Flaw> {
    let text = entry.text.as_str();
    let pattern = |message: String, help: &str| {
        let flaw: Flaw = (
            rule::ALLOW_PATTERN,
            Severity::Error,
            message,
            help.to_owned(),
        );
        Some(flaw)
    };
    if text.chars().all(|c| matches!(c, '*' | ':' | '/')) {
        return Some((
            rule::ALLOW_EVERYTHING,
            Severity::Error,
            format!("`{text}` allows everything there is"),
            "write an account, a Region, an id, an ARN, or a pattern such as `drill-*`".to_owned(),
        ));
    }
    let signs = ["?", "[", "]", "\\", "|", "{", "}", "^", "$"];
    if let Some(sign) = signs.iter().find(|sign| text.contains(**sign)) {
        return pattern(
            format!("`{sign}` means itself here, so that this allows next to nothing"),
            "the only pattern is `*`, which is any text: `drill-*`, `arn:aws:kms:us-west-2:123456789012:key/*`",
        );
    }
    if text.starts_with("arn:") {
        return arn_flaw(text);
    }
    if text.len() > 4 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-') && !is_account(text)
    {
        return pattern(
            format!("`{text}` is not an account: an account has 12 digits"),
            "write all 12 digits, in quotes: `\"123456789012\"`",
        );
    }
    if let Some(finding) = Wall::all().find_map(|wall| id_flaw(text, wall)) {
        return Some(finding);
    }
    let (region, severity) = misspelt_region(text)?;
    Some((
        rule::ALLOW_PATTERN,
        severity,
        format!("`{text}` is not a Region, and so would be taken for a name"),
        format!("write `{region}` if you mean the Region; the ARN of what has this name otherwise"),
    ))
}

fn arn_flaw(text: &str) -> Option<Flaw> {
    let error = |message: String, help: &str| -> Option<Flaw> {
        Some((
            rule::ALLOW_PATTERN,
            Severity::Error,
            message,
            help.to_owned(),
        ))
    };
    let Some(arn) =
        Arn::parse(text).filter(|arn| !arn.resource.is_empty() && !arn.service.is_empty())
    else {
        return error(
            format!(
                "`{text}` is not an ARN, which has six parts with `:` between them, so that this matches nothing"
            ),
            "write all of them, such as `arn:aws:kms:us-west-2:123456789012:key/*`; a `*` stands for no `:` between them",
        );
    };
    let is_any = |part: &str| part.chars().all(|c| matches!(c, '*' | ':' | '/'));
    if is_any(arn.service) && is_any(arn.resource) {
        return Some((
            rule::ALLOW_EVERYTHING,
            Severity::Error,
            format!("`{text}` allows everything there is in it"),
            "name the service and what is allowed of it, such as `arn:aws:kms:us-west-2:123456789012:key/*`".to_owned(),
        ));
    }
    if !arn.partition.starts_with("aws") && !arn.partition.contains('*') {
        return error(
            format!(
                "`{}` is not a partition of AWS, so that this matches nothing",
                arn.partition
            ),
            "write `aws`, `aws-cn` or `aws-us-gov`",
        );
    }
    if !arn.region.is_empty() && !arn.region.contains('*') && !is_region(arn.region) {
        return error(
            format!(
                "`{}` is not a Region, so that this matches nothing",
                arn.region
            ),
            "write a Region such as `us-west-2`, or `*` for all",
        );
    }
    if !arn.account.is_empty() && !arn.account.contains('*') && !is_account(arn.account) {
        return error(
            format!(
                "`{}` is not an account, so that this matches nothing",
                arn.account
            ),
            "write the account's 12 digits, or `*` for all",
        );
    }
    None
}

/// An id that is none: another sign for the hyphen, or digits that no id has; and a pattern of all there are.
fn id_flaw(text: &str, wall: Wall<'_>) -> Option<Flaw> {
    let id = wall.kind.id.as_deref()?;
    let folded = text.to_lowercase();
    let rest = folded.strip_prefix(id)?;
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let has_digit = rest.bytes().any(|b| b.is_ascii_digit());
    let called = &wall.kind.called;
    match rest.strip_prefix('-') {
        Some("*") => Some((
            rule::ALLOW_EVERYTHING,
            Severity::Warning,
            format!("`{text}` allows each that there is, so that {called} is never refused"),
            format!("name those that restores may go into, such as `{id}-0a1b2c3d`"),
        )),
        Some(digits) if is_hex(digits) && has_digit && !matches!(digits.len(), 8 | 17) => Some((
            rule::ALLOW_PATTERN,
            Severity::Warning,
            format!(
                "`{text}` has {} digits behind `{id}-`, and {called} has 8 or 17, so that this may match nothing",
                digits.len()
            ),
            "copy the whole id".to_owned(),
        )),
        Some(_) => None,
        None => {
            let digits = rest.trim_start_matches(['_', '.', ':', '/', ' ']);
            (is_hex(digits) && has_digit).then(|| -> Flaw {
                (
                    rule::ALLOW_PATTERN,
                    Severity::Error,
                    format!("`{text}` is not an id of {called}, so that this matches nothing"),
                    format!("write `{id}-{digits}`"),
                )
            })
        }
    }
}

/// The Region that a text is a slip of: a hyphen is missing, or is another sign; or, which is not sure, a letter.
fn misspelt_region(text: &str) -> Option<(String, Severity)> {
    if super::reads_as_region(text) || text.contains('*') {
        return None;
    }
    let folded = text.to_lowercase();
    if is_region(&folded)
        && let [code, words @ .., word, number] = folded.split('-').collect::<Vec<_>>().as_slice()
        && code.len() == 2
        && let Some(meant) = did_you_mean(word, DIRECTIONS)
    {
        let region = [&[*code], words, &[meant, number]].concat().join("-");
        return Some((region, Severity::Warning));
    }
    let bare: String = folded
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect();
    let (code, rest) = bare.split_at_checked(2)?;
    let number = rest.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let direction = rest.strip_suffix(number)?;
    let is_one = DIRECTIONS.contains(&direction) && matches!(number.len(), 1);
    is_one.then(|| (format!("{code}-{direction}-{number}"), Severity::Error))
}

impl Walls {
    /// Returns true if a VPC is in the list.
    pub(super) fn names_vpc(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.text.starts_with("vpc-") || entry.text.contains(":vpc/"))
    }
}
