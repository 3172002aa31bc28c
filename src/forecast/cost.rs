//! Cost of a run, as far as prices are at hand: AWS's charge for restored data, and what is created while it stays.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Bytes in what AWS bills as a gigabyte.
const GB: f64 = 1024.0 * 1024.0 * 1024.0;
/// Hours that AWS counts in a month where it bills by it.
const HOURS_IN_MONTH: f64 = 730.0;
/// The table that is built in.
const BUILT_IN: &str = include_str!("prices.yaml");

/// Prices, with their date and where they are from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// Day of the prices.
    pub date: Date,
    /// In which currency.
    pub currency: String,
    /// Sources of the prices.
    pub sources: Vec<String>,
    /// By Region.
    pub regions: BTreeMap<String, RegionPrices>,
}

/// The prices of one Region.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionPrices {
    /// A gigabyte restored from warm storage, by resource type.
    #[serde(default)]
    pub restore_per_gb: BTreeMap<String, f64>,
    /// The same from cold storage.
    #[serde(default)]
    pub cold_restore_per_gb: BTreeMap<String, f64>,
    /// A gigabyte of what is created, for a month, by resource type.
    #[serde(default)]
    pub stored_per_gb_month: BTreeMap<String, f64>,
    /// Price of what is created for an hour, by type, whatever its size.
    #[serde(default)]
    pub created_per_hour: BTreeMap<String, f64>,
    /// A thousand state transitions of a standard workflow of Step Functions.
    #[serde(default)]
    pub transitions_per_1000: Option<f64>,
}

impl PriceTable {
    /// The table that is built in.
    ///
    /// # Errors
    ///
    /// Never: a test reads it.
    pub fn built_in() -> Result<Self, String> {
        Self::read(BUILT_IN)
    }

    /// Reads a table.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let table: Self = serde_yaml::from_str(text).map_err(|err| err.to_string())?;
        if table.currency.trim().is_empty() {
            return Err("`currency` is empty".to_owned());
        }
        for (region, prices) in &table.regions {
            let tables = [
                ("restore_per_gb", &prices.restore_per_gb),
                ("cold_restore_per_gb", &prices.cold_restore_per_gb),
                ("stored_per_gb_month", &prices.stored_per_gb_month),
                ("created_per_hour", &prices.created_per_hour),
            ];
            let of_types = tables.iter().flat_map(|(name, table)| {
                table
                    .iter()
                    .map(move |(of, price)| (format!("{name}.{of}"), *price))
            });
            let transitions = prices.transitions_per_1000;
            let transitions = transitions.map(|price| ("transitions_per_1000".to_owned(), price));
            let mut all = of_types.chain(transitions);
            if let Some((name, price)) = all.find(|(_, price)| !(0.0..1e9).contains(price)) {
                return Err(format!(
                    "regions.{region}.{name} is {price}, which is not a price"
                ));
            }
        }
        Ok(table)
    }
}

/// A restore, as far as its price goes.
#[derive(Clone, Debug)]
pub struct PricedRestore<'a> {
    /// Region that it runs in.
    pub region: &'a str,
    /// AWS's name of the resource type.
    pub resource_type: &'a str,
    /// The size of the backup, bytes.
    pub size_bytes: Option<i64>,
    /// True if it is in cold storage.
    pub is_cold: bool,
    /// For how long what it creates stays, hours.
    pub hours: f64,
}

/// Cost of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForecastCost {
    /// In this currency.
    pub currency: String,
    /// All of what is known, in it.
    pub total: f64,
    /// Of what AWS charges for restored data.
    pub restores: f64,
    /// Of what is created, until it is cleaned up.
    pub created: f64,
    /// Of Step Functions, where it starts the restores.
    pub transitions: f64,
    /// Day of the prices.
    pub prices_of: Date,
    /// Sources of the prices.
    pub sources: Vec<String>,
    /// Parts that are left out, because there is no price or no size.
    pub left_out: Vec<String>,
    /// True if any part has a price: otherwise the sum is nothing, and means nothing.
    #[serde(skip)]
    pub is_priced: bool,
}

/// Adds up what is known. `transitions` are those of Step Functions, with the Regions that they are made in.
#[must_use]
pub fn cost(
    prices: &PriceTable,
    restores: &[PricedRestore<'_>],
    transitions: &[(String, u64)],
) -> ForecastCost {
    let (mut of_restores, mut created, mut of_transitions) = (0.0, 0.0, 0.0);
    let mut is_priced = false;
    let mut left_out: BTreeSet<String> = BTreeSet::new();
    let nothing = RegionPrices::default();
    for restore in restores {
        let region = prices.regions.get(restore.region).unwrap_or(&nothing);
        let name = restore.resource_type;
        let per_gb = match restore.is_cold {
            true => region.cold_restore_per_gb.get(name),
            false => region.restore_per_gb.get(name),
        };
        let size = restore.size_bytes.map(|size| size.max(0) as f64 / GB);
        match (per_gb, size) {
            (Some(price), Some(size)) => {
                is_priced = true;
                of_restores += price * size;
            }
            (Some(_), None) => {
                left_out.insert(format!("{name} restores whose size is not known"));
            }
            (None, _) => {
                left_out.insert(format!("{name} restores in {}", restore.region));
            }
        }
        let (stored, hourly) = (
            region.stored_per_gb_month.get(name),
            region.created_per_hour.get(name),
        );
        if let Some(price) = hourly {
            is_priced = true;
            created += price * restore.hours;
        }
        if let (Some(price), Some(size)) = (stored, size) {
            is_priced = true;
            created += price * size * restore.hours / HOURS_IN_MONTH;
        }
        if stored.is_none() && hourly.is_none() {
            left_out.insert(format!("what {name} restores create in {}", restore.region));
        }
    }
    for (region, count) in transitions {
        let price = prices.regions.get(region);
        match price.and_then(|region| region.transitions_per_1000) {
            Some(price) => {
                is_priced = true;
                of_transitions += price * *count as f64 / 1000.0;
            }
            None => {
                left_out.insert(format!("Step Functions in {region}"));
            }
        }
    }
    ForecastCost {
        currency: prices.currency.clone(),
        total: of_restores + created + of_transitions,
        restores: of_restores,
        created,
        transitions: of_transitions,
        prices_of: prices.date,
        sources: prices.sources.clone(),
        left_out: left_out.into_iter().collect(),
        is_priced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_price_is_refused() {
        let with = |price: &str| {
            let text = format!(
                "date: 2026-12-01\ncurrency: USD\nsources: []\nregions: {{ us-east-1: {{ restore_per_gb: {{ EFS: {price} }} }} }}\n"
            );
            PriceTable::read(&text)
        };
        with("0.02").unwrap();
        for price in [".nan", ".inf", "1e300", "-0.02"] {
            let error = with(price).unwrap_err();
            assert!(
                error.starts_with("regions.us-east-1.restore_per_gb.EFS is "),
                "{error}"
            );
        }
        let error = PriceTable::read("date: 2026-12-01\ncurrency: ''\nsources: []\nregions: {}\n");
        assert_eq!(error.unwrap_err(), "`currency` is empty");
    }
}
