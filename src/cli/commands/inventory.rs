//! `redrill inventory`

use std::collections::BTreeMap;

use super::Context;
use super::reading::{RegionReader, counted, narrate, settings};
use crate::cli::authoring::Inventory;
use crate::cli::exit::{Exit, Failure};
use crate::cli::writing::{OutputFile, OutputKind};
use crate::ids::AccountId;
use crate::inventory::{InventoryFilter, collect, text};
use crate::render::VaultName;

pub(super) async fn inventory(
    arguments: &Inventory,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let wanted = InventoryFilter {
        vaults: arguments.vaults.clone(),
        types: arguments.types.clone(),
        resources: arguments.resources.clone(),
        secrets: arguments.include_secrets,
        shared: None,
    };
    if let Some(path) = &arguments.output {
        OutputFile::new(path, OutputKind::Inventory { points: None })
            .forced(arguments.force)
            .check()?;
    }
    let mut regions: Vec<Option<&String>> = Vec::new();
    for region in &arguments.regions {
        if !regions.contains(&Some(region)) {
            regions.push(Some(region));
        }
    }
    if regions.is_empty() {
        regions.push(None);
    }
    let mut counter = context.counter("recovery points");
    let mut all = Vec::new();
    for region in &regions {
        let settings = settings(region.map(String::as_str), &arguments.aws, context)?;
        let place = RegionReader::connect(&settings, arguments.aws.no_rate_limit, context).await?;
        let several = (regions.len() > 1).then_some(place.region.as_str());
        let collected = collect(
            &place.reader,
            &place.account,
            &place.region,
            &wanted,
            &mut |step| narrate(&mut counter, several, &step),
        )
        .await;
        all.push(collected.map_err(Failure::Aws)?);
        for (owner, vaults) in by_owner(&arguments.shared_vaults) {
            let wanted = InventoryFilter {
                vaults,
                shared: Some((owner.clone(), place.account.clone())),
                ..wanted.clone()
            };
            let step = &mut |step| narrate(&mut counter, several, &step);
            let collected = collect(&place.reader, &owner, &place.region, &wanted, step).await;
            all.push(collected.map_err(Failure::Aws)?);
        }
    }
    counter.finish();
    // Anything missing in one Region may be in another.
    let missing: Vec<String> = match all.split_first() {
        Some((first, rest)) => first
            .missing
            .iter()
            .filter(|missing| rest.iter().all(|other| other.missing.contains(missing)))
            .cloned()
            .collect(),
        None => Vec::new(),
    };
    if !missing.is_empty() {
        return Err(Failure::Usage(missing.join("; ")));
    }
    let count = |one: &crate::inventory::Collected| {
        let vaults = one.inventory.vaults.values();
        vaults
            .map(|vault| vault.recovery_points.len())
            .sum::<usize>()
    };
    let points: usize = all.iter().map(count).sum();
    let vaults: usize = all.iter().map(|one| one.inventory.vaults.len()).sum();
    for note in all.iter().flat_map(|one| &one.notes) {
        context.output.note(note);
    }
    if all.len() > 1 {
        for one in &all {
            let of = &one.inventory;
            let found = match count(one) {
                0 => "no recovery points".to_owned(),
                _ => found(count(one), of.vaults.len()),
            };
            let place = format!("{} {}", of.account, of.region);
            context.output.note(&format!("{place}: {found}"));
        }
    }
    let text = text(&all);
    match &arguments.output {
        Some(path) => {
            let points = Some(points);
            OutputFile::new(path, OutputKind::Inventory { points })
                .forced(arguments.force)
                .write(&text)?;
        }
        None => context.output.document(&text)?,
    }
    context.output.note(&format!(
        "{}{}",
        found(points, vaults),
        match &arguments.output {
            Some(path) => format!(", written to {}", path.display()),
            None => String::new(),
        }
    ));
    Ok(Exit::Done)
}

/// Tells how much was found.
fn found(points: usize, vaults: usize) -> String {
    format!(
        "{} in {}",
        counted(points, "recovery point"),
        counted(vaults, "vault")
    )
}

/// The names of shared vaults by the account that owns them.
pub(super) fn by_owner(vaults: &[VaultName]) -> BTreeMap<AccountId, Vec<String>> {
    let mut by_owner: BTreeMap<AccountId, Vec<String>> = BTreeMap::new();
    for vault in vaults {
        if let Some(owner) = &vault.account {
            let names = by_owner.entry(owner.clone()).or_default();
            names.push(vault.name.clone());
        }
    }
    by_owner
}
