//! `redrill init`

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use super::inventory::by_owner;
use super::reading::{Place, narrate, settings};
use crate::author::{Chosen, Head, PassedOver, latest, plan};
use crate::backup::{RecoveryPoint, Sources};
use crate::cli::authoring::Init;
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::writing::{Kind, Output};
use crate::diagnostic::suggest;
use crate::inventory::{Listed, Recorded, Wanted, ask, list};
use crate::rules::Rules;
use crate::terminal::{Counter, Style};

pub(super) async fn init(arguments: &Init, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let output = arguments.output.as_ref();
    let output = output.map(|path| Output::new(path, Kind::Plan).forced(arguments.force));
    if let Some(output) = &output {
        output.check()?;
    }
    let (account, region, written) = match &arguments.inventory {
        Some(path) => {
            let recorded = Recorded::parse(&files::text(path)?)
                .map_err(|err| Failure::Usage(format!("{}:{err}", path.display())))?;
            let (account, region) = place(&recorded, arguments)?;
            let reader = recorded.seen_from(&account, &region);
            let written = write(&reader, &account, &region, arguments, context).await?;
            (account, region, written)
        }
        None => {
            let settings = settings(arguments.region.as_deref(), &arguments.aws, context)?;
            let place = Place::connect(&settings, arguments.aws.no_rate_limit).await?;
            let (account, region) = (place.account, place.region);
            let written = write(&place.reader, &account, &region, arguments, context).await?;
            (account, region, written)
        }
    };
    match &output {
        Some(output) => output.write(&written.text)?,
        None => context.output.document(&written.text)?,
    }
    let name = arguments.output.as_ref().map_or_else(
        || "PLAN".to_owned(),
        |path| path.to_string_lossy().into_owned(),
    );
    context.output.note(&format!(
        "{} restores of {account} in {region}; read the plan, then: {} rehearse {name}",
        written.restores, context.environment.program
    ));
    Ok(Exit::Done)
}

struct Written {
    text: String,
    restores: usize,
}

async fn write<R: Sources + 'static>(
    reader: &R,
    account: &str,
    region: &str,
    arguments: &Init,
    context: &mut Context<'_>,
) -> Result<Written, Failure> {
    let rules = Arc::new(Rules::embedded());
    let mut counter = match arguments.inventory {
        // A file is read in no time.
        Some(_) => Counter::new(Style::None, ""),
        None => context.counter("recovery points"),
    };
    let wanted = Wanted {
        vaults: arguments.vaults.clone(),
        ..Wanted::default()
    };
    // All of a vault is listed: what belongs to a composite recovery point is of other resources.
    let mut listed = list(reader, &wanted, &mut |step| {
        narrate(&mut counter, None, &step)
    })
    .await
    .map_err(Failure::Aws)?;
    for (owner, vaults) in by_owner(&arguments.shared_vaults) {
        let wanted = Wanted {
            vaults,
            shared: Some((owner, account.to_owned())),
            ..Wanted::default()
        };
        let step = &mut |step| narrate(&mut counter, None, &step);
        let shared = list(reader, &wanted, step).await.map_err(Failure::Aws)?;
        listed.points.extend(shared.points);
        listed.notes.extend(shared.notes);
        listed.missing.extend(shared.missing);
    }
    if !listed.missing.is_empty() {
        return Err(Failure::Usage(listed.missing.join("; ")));
    }
    let children = children(&listed.points);
    let (chosen, passed) = choose(listed, &arguments.resources, &rules, context)?;
    let asked = ask(reader, chosen, &mut |step| {
        narrate(&mut counter, None, &step)
    })
    .await
    .map_err(Failure::Aws)?;
    counter.finish();
    let mut all = Vec::with_capacity(asked.len());
    for (point, metadata) in asked {
        let metadata = metadata.unwrap_or_else(|reason| {
            let arn = &point.arn;
            context
                .output
                .note(&format!("{arn}: without restore metadata: {reason}"));
            BTreeMap::new()
        });
        all.push(Chosen {
            children: children.get(&point.arn).cloned().unwrap_or_default(),
            point,
            metadata,
        });
    }
    told(&passed, context);
    let name = arguments.output.as_ref().and_then(|path| path.file_stem());
    let head = Head {
        plan: name.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
        account: account.to_owned(),
        region: region.to_owned(),
    };
    let text = plan(&head, &all, &rules).map_err(|err| Failure::System(err.to_string()))?;
    Ok(Written {
        text,
        restores: all.len(),
    })
}

/// Which account and Region of a file.
fn place(recorded: &Recorded, arguments: &Init) -> Result<(String, String), Failure> {
    let shares = |owner: &String| {
        let mut shared = arguments.shared_vaults.iter();
        shared.any(|vault| vault.account.as_ref() == Some(owner))
    };
    let mut all = recorded.places();
    // Whoever shares a vault is not the one who restores from it.
    all.retain(|(account, _)| !shares(account));
    let mut fit: Vec<&(String, String)> = all
        .iter()
        .filter(|(_, region)| {
            arguments
                .region
                .as_ref()
                .is_none_or(|wanted| wanted == region)
        })
        .collect();
    fit.dedup();
    match fit.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let wanted = arguments.region.as_deref().unwrap_or_default();
            let regions = all.iter().map(|(_, region)| region.as_str());
            Err(Failure::Usage(format!(
                "the inventory has no Region `{wanted}`; {}",
                suggest(wanted, regions)
            )))
        }
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|(account, region)| format!("{account} {region}"))
                .collect();
            Err(Failure::Usage(format!(
                "the inventory holds {}: a plan has one target; choose with --region, or keep one document",
                names.join(", ")
            )))
        }
    }
}

/// The ARNs of the recovery points that belong to each composite one.
fn children(points: &[RecoveryPoint]) -> BTreeMap<String, Vec<String>> {
    let mut children: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for point in points {
        if let Some(parent) = &point.parent {
            children
                .entry(parent.clone())
                .or_default()
                .push(point.arn.clone());
        }
    }
    children
}

/// The recovery points that restores are written for, and those that are passed over.
fn choose(
    listed: Listed,
    resources: &[String],
    rules: &Rules,
    context: &mut Context<'_>,
) -> Result<(Vec<RecoveryPoint>, Vec<PassedOver>), Failure> {
    for note in &listed.notes {
        context.output.note(note);
    }
    let seen = listed.points.len();
    if resources.is_empty() {
        let (chosen, passed) = latest(listed.points, rules);
        return match chosen.is_empty() {
            true => Err(nothing(seen, &passed)),
            false => Ok((chosen, passed)),
        };
    }
    let known = |arn: &String| {
        let mut points = listed.points.iter();
        points.any(|point| point.arn == *arn || point.resource_arn == *arn)
    };
    let missing: Vec<&String> = resources.iter().filter(|arn| !known(arn)).collect();
    if !missing.is_empty() {
        return Err(unknown(&missing, &listed.points));
    }
    // One that is named itself is taken before the latest of its resource.
    let (named, rest): (Vec<_>, Vec<_>) = listed
        .points
        .into_iter()
        .partition(|point| resources.contains(&point.arn));
    let rest = rest
        .into_iter()
        .filter(|point| resources.contains(&point.resource_arn))
        .filter(|point| named.iter().all(|n| n.resource_arn != point.resource_arn));
    let (mut chosen, mut passed) = latest(rest.collect(), rules);
    for point in named {
        match point.status.is_restorable() {
            true => chosen.push(point),
            false => passed.push(PassedOver {
                reason: format!("it is {}", point.status),
                arn: point.arn,
            }),
        }
    }
    match chosen.is_empty() {
        true => Err(nothing(seen, &passed)),
        false => Ok((chosen, passed)),
    }
}

/// Names that are no ARN of what was seen, and the ARNs that are likely meant.
fn unknown(missing: &[&String], points: &[RecoveryPoint]) -> Failure {
    let words: Vec<String> = missing
        .iter()
        .map(|text| {
            let mut near: Vec<&str> = points
                .iter()
                .flat_map(|point| [point.resource_arn.as_str(), point.arn.as_str()])
                .filter(|arn| arn.contains(text.as_str()))
                .collect();
            near.sort_unstable();
            near.dedup();
            near.truncate(3);
            match near.as_slice() {
                [] => format!("nothing matches {text}"),
                near => format!(
                    "`{text}` is not an ARN; did you mean {}?",
                    near.join(" or ")
                ),
            }
        })
        .collect();
    Failure::Usage(format!(
        "{}; {} recovery points were seen",
        words.join("; "),
        points.len()
    ))
}

fn nothing(seen: usize, passed: &[PassedOver]) -> Failure {
    let mut text = format!("there is nothing to restore: {seen} recovery points were seen");
    for one in passed.iter().take(10) {
        text.push_str(&format!("; {}: {}", one.arn, one.reason));
    }
    Failure::Usage(text)
}

/// Says how many were passed over, or with `-v` each of them.
fn told(passed: &[PassedOver], context: &mut Context<'_>) {
    if context.display.verbose {
        for one in passed {
            let PassedOver { arn, reason } = one;
            context.output.note(&format!("passed over {arn}: {reason}"));
        }
        return;
    }
    let later = passed
        .iter()
        .filter(|one| one.reason.starts_with("there is a later one"))
        .count();
    if !passed.is_empty() {
        context.output.note(&format!(
            "skipped {} recovery points: {later} older, {} not restorable or part of another; -v lists them",
            passed.len(),
            passed.len() - later
        ));
    }
}
