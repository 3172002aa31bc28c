//! `redrill init`

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Context;
use super::inventory::by_owner;
use super::reading::{self, counted, narrate, settings};
use super::resume_hint::quoted;
use crate::author::{self, AccountRegion, ChosenPoint, Head, UnusedPoint, latest, plan};
use crate::backup::{RecoveryPoint, Sources};
use crate::cli::authoring::InitArguments;
use crate::cli::exit::{Exit, Failure};
use crate::cli::writing::{OutputFile, OutputKind};
use crate::diagnostic::suggest;
use crate::ids::AccountId;
use crate::inventory::{InventoryFilter, InventoryListing, RecordedInventory, ask, list};
use crate::rules::Rules;
use crate::terminal::{Counter, Style};

/// Writes the example: its plan to `--output`, and its check beside that.
pub(super) fn example(
    arguments: &InitArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let files = author::example();
    let plan = arguments.output.clone();
    let plan = plan.unwrap_or_else(|| PathBuf::from(files[0].path));
    let folder = plan.parent().map(Path::to_owned).unwrap_or_default();
    let paths: Vec<PathBuf> = std::iter::once(plan.clone())
        .chain(files[1..].iter().map(|file| folder.join(file.path)))
        .collect();
    let outputs: Vec<OutputFile<'_>> = paths
        .iter()
        .zip(&files)
        .map(|(path, file)| {
            let kind = match file.is_executable {
                true => OutputKind::Program,
                false => OutputKind::Plan,
            };
            OutputFile::new(path, kind).forced(arguments.force)
        })
        .collect();
    // All of them, or none.
    for (output, path) in outputs.iter().zip(&paths) {
        make_folder(path)?;
        output.check()?;
    }
    for (output, file) in outputs.iter().zip(&files) {
        output.write(file.text.as_bytes())?;
    }
    let program = &context.environment.program;
    context.output.note(&format!(
        "a plan and its check; try them: {program} rehearse {}",
        quoted(&plan.to_string_lossy())
    ));
    Ok(Exit::Done)
}

pub(super) async fn init(
    arguments: &InitArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let output = arguments.output.as_ref();
    let output = output.map(|path| OutputFile::new(path, OutputKind::Plan).forced(arguments.force));
    if let Some(output) = &output {
        output.check()?;
    }
    let inventory = super::emulator::inventory(&arguments.inventory)?;
    let written = match inventory {
        Some(inventory) => {
            let recorded = RecordedInventory::new(inventory);
            let places = places(&recorded, arguments)?;
            let readers = places.into_iter().map(|place| {
                let reader = recorded.clone().seen_from(&place.account, &place.region);
                (place, reader)
            });
            let readers: Vec<_> = readers.collect();
            write(&readers, arguments, context).await?
        }
        None => {
            let mut readers = Vec::new();
            for region in regions(&arguments.regions) {
                let settings = settings(region, &arguments.aws, context)?;
                let found =
                    reading::RegionReader::connect(&settings, arguments.aws.no_rate_limit, context)
                        .await?;
                let place = AccountRegion {
                    account: found.account,
                    region: found.region,
                };
                readers.push((place, found.reader));
            }
            write(&readers, arguments, context).await?
        }
    };
    match &output {
        Some(output) => output.write(&written.text)?,
        None => context.output.document(&written.text)?,
    }
    let program = &context.environment.program;
    let mut next = match &arguments.output {
        Some(path) => format!("{program} rehearse {}", quoted(&path.to_string_lossy())),
        None => format!("{program} rehearse PLAN"),
    };
    for path in &arguments.inventory {
        next.push_str(&format!(" --inventory {}", quoted(&path.to_string_lossy())));
    }
    let places: Vec<String> = (written.places.iter())
        .map(|place| format!("{} in {}", place.account, place.region))
        .collect();
    context.output.note(&format!(
        "{} of {}; read the plan, then: {next}",
        counted(written.restores, "restore"),
        places.join(" and ")
    ));
    Ok(Exit::Done)
}

/// The folder of a file, where there is none.
fn make_folder(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file.parent().filter(|of| !of.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|source| Failure::Io {
        path: folder.to_owned(),
        source,
    })
}

struct WrittenPlan {
    text: String,
    restores: usize,
    places: Vec<AccountRegion>,
}

/// Contents of one account and Region.
struct RegionContents {
    listed: InventoryListing,
    children: BTreeMap<String, Vec<String>>,
}

async fn write<R: Sources + 'static>(
    readers: &[(AccountRegion, R)],
    arguments: &InitArguments,
    context: &mut Context<'_>,
) -> Result<WrittenPlan, Failure> {
    let rules = Arc::new(Rules::embedded());
    let mut counter = match arguments.inventory.is_empty() {
        // A file is read in no time.
        false => Counter::new(Style::None, ""),
        true => context.counter("recovery points"),
    };
    let mut found = Vec::with_capacity(readers.len());
    for (place, reader) in readers {
        found.push(listing(place, reader, arguments, &mut counter).await?);
    }
    // Anything missing in one place may be in another.
    let missing = found[0].listed.missing.iter();
    let missing: Vec<String> = missing
        .filter(|missing| found.iter().all(|of| of.listed.missing.contains(missing)))
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Err(Failure::Usage(missing.join("; ")));
    }
    let all: Vec<&RecoveryPoint> = found.iter().flat_map(|of| &of.listed.points).collect();
    check_resources(&arguments.resources, &all)?;
    let seen = all.len();
    let mut chosen = Vec::new();
    let mut passed = Vec::new();
    let mut other_types = BTreeSet::new();
    let mut places: Vec<AccountRegion> = Vec::new();
    for ((place, reader), of) in readers.iter().zip(found) {
        for note in &of.listed.notes {
            context.output.note(note);
        }
        let (mut points, passed_here) = choose(of.listed.points, &arguments.resources, &rules);
        passed.extend(passed_here);
        if !arguments.types.is_empty() {
            points.retain(|point| {
                let of_type = point.resource_type.clone().unwrap_or_default();
                let mut types = arguments.types.iter();
                let is_asked = types.any(|asked| asked.eq_ignore_ascii_case(&of_type));
                if !is_asked {
                    other_types.insert(of_type);
                }
                is_asked
            });
        }
        if points.is_empty() {
            if readers.len() > 1 {
                context.output.note(&format!(
                    "{} {}: nothing to restore",
                    place.account, place.region
                ));
            }
            continue;
        }
        let step = &mut |step| narrate(&mut counter, None, &step);
        let asked = ask(reader, points, step).await.map_err(Failure::Aws)?;
        for (point, metadata) in asked {
            let metadata = metadata.unwrap_or_else(|reason| {
                let arn = &point.arn;
                context
                    .output
                    .note(&format!("{arn}: without restore metadata: {reason}"));
                BTreeMap::new()
            });
            chosen.push(ChosenPoint {
                children: of.children.get(&point.arn).cloned().unwrap_or_default(),
                point,
                metadata,
                place: places.len(),
            });
        }
        places.push(place.clone());
    }
    counter.finish();
    if chosen.is_empty() {
        return Err(match other_types.is_empty() {
            true => nothing(seen, &passed),
            false => {
                let asked = arguments.types.join(", ");
                let types = other_types.iter().map(String::as_str);
                Failure::Usage(format!(
                    "no recovery point of type {asked}; {}",
                    suggest(&asked, types)
                ))
            }
        });
    }
    told(&passed, context);
    let head = Head {
        plan: name(arguments),
        places: places.clone(),
    };
    let text = plan(&head, &chosen, &rules).map_err(|err| Failure::System(err.to_string()))?;
    Ok(WrittenPlan {
        text,
        restores: chosen.len(),
        places,
    })
}

/// Everything in an account and Region that restores may be written for.
async fn listing<R: Sources + 'static>(
    place: &AccountRegion,
    reader: &R,
    arguments: &InitArguments,
    counter: &mut Counter,
) -> Result<RegionContents, Failure> {
    let wanted = InventoryFilter {
        vaults: arguments.vaults.clone(),
        ..InventoryFilter::default()
    };
    // All of a vault is listed: what belongs to a composite recovery point is of other resources.
    let mut listed = list(reader, &wanted, &mut |step| narrate(counter, None, &step))
        .await
        .map_err(Failure::Aws)?;
    for (owner, vaults) in by_owner(&arguments.shared_vaults) {
        let wanted = InventoryFilter {
            vaults,
            shared: Some((owner, place.account.clone())),
            ..InventoryFilter::default()
        };
        let step = &mut |step| narrate(counter, None, &step);
        let shared = list(reader, &wanted, step).await.map_err(Failure::Aws)?;
        listed.points.extend(shared.points);
        listed.notes.extend(shared.notes);
        listed.missing.extend(shared.missing);
    }
    let children = children(&listed.points);
    Ok(RegionContents { listed, children })
}

/// Returns the name of the plan: as it was asked, or after a file.
fn name(arguments: &InitArguments) -> String {
    let file = match (&arguments.output, &arguments.inventory[..]) {
        (Some(path), _) => Some(path),
        (None, [one]) => Some(one),
        _ => None,
    };
    let stem = || file.and_then(|path| path.file_stem());
    (arguments.name.clone())
        .or_else(|| stem().map(|stem| stem.to_string_lossy().into_owned()))
        .unwrap_or_default()
}

/// The Regions that were named, each once; one that AWS's configuration names where there are none.
fn regions(named: &[String]) -> Vec<Option<&str>> {
    let mut regions: Vec<Option<&str>> = Vec::new();
    for region in named {
        if !regions.contains(&Some(region)) {
            regions.push(Some(region));
        }
    }
    match regions.is_empty() {
        true => vec![None],
        false => regions,
    }
}

/// The accounts and Regions of the files, or those of them that were named.
fn places(
    recorded: &RecordedInventory,
    arguments: &InitArguments,
) -> Result<Vec<AccountRegion>, Failure> {
    let shares = |owner: &AccountId| {
        let mut shared = arguments.shared_vaults.iter();
        shared.any(|vault| vault.account.as_ref() == Some(owner))
    };
    let mut all = recorded.places();
    // Whoever shares a vault is not the one who restores from it.
    all.retain(|(account, _)| !shares(account));
    for wanted in &arguments.regions {
        if !all.iter().any(|(_, region)| *region == *wanted.as_str()) {
            let regions = all.iter().map(|(_, region)| region.as_str());
            return Err(Failure::Usage(format!(
                "the inventory has no Region `{wanted}`; {}",
                suggest(wanted, regions)
            )));
        }
    }
    let mut places: Vec<AccountRegion> = Vec::new();
    for (account, region) in all {
        let place = AccountRegion { account, region };
        let is_wanted = arguments.regions.is_empty()
            || arguments
                .regions
                .iter()
                .any(|of| *of.as_str() == place.region);
        if is_wanted && !places.contains(&place) {
            places.push(place);
        }
    }
    match places.is_empty() {
        true => Err(Failure::Usage(
            "every account of the inventory shares a vault, and none restores from it".to_owned(),
        )),
        false => Ok(places),
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

/// Checks that everything that was named is there.
fn check_resources(resources: &[String], points: &[&RecoveryPoint]) -> Result<(), Failure> {
    let known = |arn: &String| {
        let mut points = points.iter();
        points.any(|point| point.arn == *arn || point.resource_arn == *arn)
    };
    let missing: Vec<&String> = resources.iter().filter(|arn| !known(arn)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(unknown(&missing, points)),
    }
}

/// The recovery points that restores are written for, and those that are passed over.
fn choose(
    points: Vec<RecoveryPoint>,
    resources: &[String],
    rules: &Rules,
) -> (Vec<RecoveryPoint>, Vec<UnusedPoint>) {
    if resources.is_empty() {
        return latest(points, rules);
    }
    // One that is named itself is taken before the latest of its resource.
    let (named, rest): (Vec<_>, Vec<_>) = points
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
            false => passed.push(UnusedPoint {
                reason: format!("it is {}", point.status),
                arn: point.arn,
            }),
        }
    }
    (chosen, passed)
}

/// Names that are no ARN of what was seen, and the ARNs that are likely meant.
fn unknown(missing: &[&String], points: &[&RecoveryPoint]) -> Failure {
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
                [] => format!("nothing matches `{text}`"),
                near => format!(
                    "`{text}` is not an ARN; did you mean {}?",
                    near.join(" or ")
                ),
            }
        })
        .collect();
    Failure::Usage(format!(
        "{} ({} searched)",
        words.join("; "),
        counted(points.len(), "recovery point")
    ))
}

fn nothing(seen: usize, passed: &[UnusedPoint]) -> Failure {
    let mut text = format!(
        "there is nothing to restore ({} searched)",
        counted(seen, "recovery point")
    );
    for one in passed.iter().take(10) {
        text.push_str(&format!("; {}: {}", one.arn, one.reason));
    }
    Failure::Usage(text)
}

/// Tells how many were passed over, or with `-v` each of them.
fn told(passed: &[UnusedPoint], context: &mut Context<'_>) {
    if context.display.verbose {
        for one in passed {
            let UnusedPoint { arn, reason } = one;
            context.output.note(&format!("passed over {arn}: {reason}"));
        }
        return;
    }
    let counts = |is: &dyn Fn(&str) -> bool| passed.iter().filter(|one| is(&one.reason)).count();
    let older = counts(&|reason| reason.starts_with("there is a later one"));
    let unrestorable = counts(&|reason| reason.starts_with("it is "));
    if !passed.is_empty() {
        context.output.note(&format!(
            "skipped {}: {older} older, {unrestorable} not restorable, {} part of a composite; -v lists them",
            counted(passed.len(), "recovery point"),
            passed.len() - older - unrestorable
        ));
    }
}
