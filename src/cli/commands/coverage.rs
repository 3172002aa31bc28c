//! `redrill coverage`: what is protected, against what is proven.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Context;
use super::emulator;
use super::reading::{RegionReader, narrate, settings};
use crate::backup::{
    Clock as _, RecoveryPoint, Sources, SystemClock, all_protected, all_tags, ask_all,
};
use crate::cli::exit::{Exit, Failure};
use crate::cli::proving::{CoverageArguments, CoverageFormat};
use crate::cli::{files, ledger_file};
use crate::coverage::{
    Coverage, CoveragePolicy, Drills, ProtectedResource, coverage_html, coverage_human,
    coverage_json, coverage_junit, coverage_markdown, drills_human, drills_json, drills_junit,
    drills_markdown, protected,
};
use crate::inventory::{CollectionStage, InventoryFilter, RecordedInventory, list};
use crate::proof::{LEDGER, Ledger};

/// The policy that is looked for where none is named.
const POLICY: &str = "coverage.yaml";

pub(super) async fn coverage(
    arguments: &CoverageArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let (policy, beside) = policy(arguments, context)?;
    if arguments.due && policy.drills.is_empty() {
        return Err(Failure::Usage(format!(
            "{} has no `drills`, so none can be due",
            beside.display()
        )));
    }
    let named = arguments.ledger.ledger.as_ref();
    let file = ledger_file::path(named, &beside);
    if !file.exists() {
        if named.is_some() {
            // A ledger that was named and is not there was lost, or the name is wrong.
            let source = std::io::ErrorKind::NotFound.into();
            return Err(Failure::Io { path: file, source });
        }
        let place = file.display();
        context.output.note(&format!(
            "note: there is no ledger {place}, so nothing is proven; `redrill prove` writes it, and --ledger names another"
        ));
    }
    let ledger = ledger_file::read(&file)?;
    check_pins(&file, &ledger, &arguments.pin)?;
    let at = arguments.at.unwrap_or_else(|| SystemClock.now());
    let drills = Drills::at(at, &ledger, &policy);
    if arguments.due {
        return due(arguments, &drills, context);
    }
    let resources = resources(arguments, &policy, context).await?;
    let coverage = Coverage::at(at, &resources, &ledger, &policy);
    match arguments.format {
        CoverageFormat::Human => {
            let text = coverage_human(&coverage, &drills, arguments.all);
            context.output.result(&text)
        }
        CoverageFormat::Json => {
            let text = coverage_json(&coverage, &drills, ledger.lines(), &ledger.heads());
            context.output.document(&text)
        }
        CoverageFormat::Markdown => {
            let text = coverage_markdown(&coverage, &drills);
            context.output.verbatim(&text)
        }
        CoverageFormat::Html => context.output.document(&coverage_html(&coverage, &drills)),
        CoverageFormat::Junit => context.output.document(&coverage_junit(&coverage, &drills)),
    }?;
    Ok(match arguments.min {
        Some(min) if !coverage.reaches(min) => {
            context.output.note(&format!(
                "{:.1}% is proven, and {min}% is asked for",
                coverage.totals.percent()
            ));
            Exit::NotReady
        }
        _ => Exit::Done,
    })
}

fn due(
    arguments: &CoverageArguments,
    drills: &Drills,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    match arguments.format {
        CoverageFormat::Human => context.output.result(&drills_human(drills)),
        CoverageFormat::Json => context.output.document(&drills_json(drills)),
        CoverageFormat::Markdown => context.output.verbatim(&drills_markdown(drills)),
        CoverageFormat::Junit => context.output.document(&drills_junit(drills)),
        CoverageFormat::Html => Err(Failure::Usage(
            "--due has no page of its own: `redrill coverage --format html` has the drills as well"
                .to_owned(),
        )),
    }?;
    Ok(match drills.has_missed() {
        true => Exit::NotReady,
        false => Exit::Done,
    })
}

/// The policy, and the file next to which the ledger is.
fn policy(
    arguments: &CoverageArguments,
    context: &Context<'_>,
) -> Result<(CoveragePolicy, PathBuf), Failure> {
    let path = match &arguments.policy {
        Some(path) => path.clone(),
        None if Path::new(POLICY).exists() => PathBuf::from(POLICY),
        None if arguments.due => {
            return Err(Failure::Usage(format!(
                "there is no {POLICY} here, so nobody knows which drills are due: give --policy FILE"
            )));
        }
        None => return Ok((CoveragePolicy::default(), PathBuf::from(LEDGER))),
    };
    let text = files::text(&path)?;
    let types: Vec<&str> = context.rules.types().collect();
    let policy = CoveragePolicy::parse(&text, &types)
        .map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))?;
    Ok((policy, path))
}

/// Lines that somebody knows to have been there.
fn check_pins(file: &Path, ledger: &Ledger, pins: &[String]) -> Result<(), Failure> {
    let missing = pins.iter().filter(|pin| !ledger.has(pin));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::Ledger(format!(
            "{}: there is no line {}, which --pin names: lines were removed from the end",
            file.display(),
            missing.join(", ")
        ))),
    }
}

/// Finds the resources that are claimed to be protected.
async fn resources(
    arguments: &CoverageArguments,
    policy: &CoveragePolicy,
    context: &mut Context<'_>,
) -> Result<Vec<ProtectedResource>, Failure> {
    let mut read = ReadPoints::default();
    if let Some(inventory) = emulator::inventory(&arguments.inventory)? {
        let recorded = RecordedInventory::new(inventory);
        for (account, region) in recorded.places() {
            let view = recorded.clone().seen_from(&account, &region);
            read.take(&view, policy, &mut |_| {}).await?;
        }
    } else {
        let regions: Vec<Option<&str>> = match arguments.regions.is_empty() {
            true => vec![None],
            false => arguments
                .regions
                .iter()
                .map(|of| Some(of.as_str()))
                .collect(),
        };
        for region in regions {
            let settings = settings(region, &arguments.aws, context)?;
            let no_limit = arguments.aws.no_rate_limit;
            let place = RegionReader::connect(&settings, no_limit, context).await?;
            let mut counter = context.counter("recovery points");
            let step = &mut |step| narrate(&mut counter, region, &step);
            read.take(&place.reader, policy, step).await?;
            counter.finish();
            let claimed = all_protected(&place.reader).await.map_err(Failure::Aws)?;
            let claimed = claimed.into_iter();
            read.claimed
                .extend(claimed.map(|of| ProtectedResource::claimed(&of.arn, &of.resource_type)));
        }
    }
    for note in &read.notes {
        context.output.note(note);
    }
    let mut all = protected(&read.points, read.claimed);
    for resource in &mut all {
        let tags = resource
            .latest
            .as_ref()
            .and_then(|latest| read.tags.remove(latest));
        resource.tags = tags.unwrap_or_default();
    }
    Ok(all)
}

/// Recovery points of all places.
#[derive(Default)]
struct ReadPoints {
    points: Vec<RecoveryPoint>,
    claimed: Vec<ProtectedResource>,
    /// By recovery point, where the policy asks for them.
    tags: BTreeMap<String, BTreeMap<String, String>>,
    notes: Vec<String>,
}

impl ReadPoints {
    async fn take<R: Sources>(
        &mut self,
        reader: &R,
        policy: &CoveragePolicy,
        step: &mut impl FnMut(CollectionStage),
    ) -> Result<(), Failure> {
        let filter = InventoryFilter::default();
        let listed = list(reader, &filter, step).await.map_err(Failure::Aws)?;
        // A copy of a recovery point in a second vault says nothing new.
        let is_news = |note: &String| !note.contains(": in a second vault, ");
        self.notes.extend(listed.notes.into_iter().filter(is_news));
        if policy.asks_for_tags() {
            let latest = protected(&listed.points, []);
            let latest = latest.into_iter().filter_map(|of| of.latest);
            let questions = latest.map(async |arn| match all_tags(reader, &arn).await {
                Ok(tags) => Ok((arn, Ok(tags))),
                Err(err) if err.may_mean_absence() => Ok((arn, Err(err.message))),
                Err(err) => Err(err),
            });
            let take = |(arn, tags): (String, Result<BTreeMap<String, String>, String>)| match tags
            {
                Ok(tags) => drop(self.tags.insert(arn, tags)),
                Err(why) => self.notes.push(format!("{arn}: without its tags: {why}")),
            };
            ask_all(questions, take).await.map_err(Failure::Aws)?;
        }
        self.points.extend(listed.points);
        Ok(())
    }
}
