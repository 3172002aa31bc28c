//! Selectors against a plain search through everything: on many inventories, in every order, across the borders of pages.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use redrill::aws::{Aws, ConnectionSettings, Reads};
use redrill::backup::{RecoveryPoint, Sources};
use redrill::ids::{AccountId, RegionName, RestoreName, RunId};
use redrill::inventory::RecordedInventory;
use redrill::render::{Pick, Selector};
use redrill::resolve::{PointCache, Selection, Unselected, select};
use redrill_emulator::{
    AccountInventory, Inventory, Options, RecoveryPoint as Written, RecoveryPointStatus, Vault,
};

use crate::support::{at_once, emulator};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-west-2";
const VAULTS: [&str; 3] = ["daily", "weekly", "empty"];
const TYPES: [&str; 2] = ["EFS", "DynamoDB"];

fn resource(of: usize) -> String {
    format!("arn:aws:service:{REGION}:{ACCOUNT}:thing/t{of}")
}

fn start() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().unwrap()
}

fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

/// A recovery point before it is anywhere: vault, resource, status, hours before the start.
type Sketch = (usize, usize, usize, i64);

const STATUSES: [RecoveryPointStatus; 7] = [
    RecoveryPointStatus::Completed,
    RecoveryPointStatus::Available,
    RecoveryPointStatus::Partial,
    RecoveryPointStatus::Deleting,
    RecoveryPointStatus::Expired,
    RecoveryPointStatus::Stopped,
    RecoveryPointStatus::Creating,
];

fn inventory(sketches: &[Sketch]) -> Inventory {
    let mut vaults: std::collections::BTreeMap<String, Vault> = VAULTS
        .iter()
        .map(|name| ((*name).to_owned(), Vault::default()))
        .collect();
    for (at, (vault, of, status, age)) in sketches.iter().enumerate() {
        let point = Written {
            arn: format!("arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:{at:08}"),
            resource_arn: resource(*of),
            resource_type: TYPES[of % TYPES.len()].to_owned(),
            created_at: start() - hours(*age),
            size_bytes: 1,
            restore_metadata: Default::default(),
            status: STATUSES[*status],
            storage_class: Default::default(),
            parent: None,
            encryption_key_arn: None,
            expires_at: None,
            tags: Default::default(),
            restore: None,
        };
        let vault = vaults.get_mut(VAULTS[*vault]).unwrap();
        vault.recovery_points.push(point);
    }
    let account: AccountInventory = serde_json::from_value(serde_json::json!({
        "account": ACCOUNT, "region": REGION,
    }))
    .unwrap();
    Inventory {
        accounts: vec![AccountInventory { vaults, ..account }],
    }
}

fn sketches(most: usize) -> impl Strategy<Value = Vec<Sketch>> {
    // Mostly restorable, few hours apart: ties and borders are met.
    let status = prop_oneof![4 => 0..2_usize, 1 => 0..STATUSES.len()];
    prop::collection::vec((0..2_usize, 0..4_usize, status, 0..40_i64), 0..most)
}

fn selector() -> impl Strategy<Value = Selector> {
    let vault = prop::option::weighted(0.7, 0..4_usize);
    let resource_arn = prop::option::weighted(0.8, 0..5_usize);
    let time = || prop::option::weighted(0.3, 0..40_i64);
    let pick = prop_oneof![Just(Pick::Latest), Just(Pick::Earliest), Just(Pick::Random)];
    (vault, resource_arn, pick, time(), time(), time()).prop_map(
        |(vault, of, pick, before, after, age)| Selector {
            vault: vault.map(|at| VAULTS.get(at).copied().unwrap_or("nowhere").to_owned()),
            vault_account: None,
            // One of the two has to be named; that it is is checked where a plan is read.
            resource: of.or(vault.is_none().then_some(0)).map(resource),
            pick,
            created_before: before.map(|age| start() - hours(age)),
            created_after: after.map(|age| start() - hours(age)),
            max_age: age.map(|age| hours(age + 1)),
        },
    )
}

/// What a person would do with the whole list in hand.
#[derive(Debug, PartialEq)]
enum Expected {
    One(String),
    AnyOf(BTreeSet<String>),
    Nothing(usize),
    Several,
    Refused,
}

fn oracle(inventory: &Inventory, selector: &Selector, of_type: &str) -> Expected {
    if selector.vault.as_deref() == Some("nowhere") {
        return Expected::Refused;
    }
    let all: Vec<(&str, &Written)> = inventory
        .recovery_points()
        .map(|(_, vault, point)| (vault, point))
        .collect();
    let in_vault = |vault: &str| selector.vault.as_ref().is_none_or(|wanted| wanted == vault);
    let about: Vec<&(&str, &Written)> = all
        .iter()
        .filter(|(vault, point)| match &selector.resource {
            Some(resource) => *resource == point.resource_arn,
            None => in_vault(vault),
        })
        .collect();
    if selector.resource.is_none() {
        let resources: BTreeSet<&str> = about
            .iter()
            .filter(|(_, point)| point.resource_type == of_type)
            .map(|(_, point)| point.resource_arn.as_str())
            .collect();
        if resources.len() > 1 {
            return Expected::Several;
        }
    }
    let mut fitting = Vec::new();
    for (vault, point) in &about {
        let restorable = matches!(
            point.status,
            RecoveryPointStatus::Completed | RecoveryPointStatus::Available
        );
        let age = start().duration_since(point.created_at);
        if in_vault(vault)
            && restorable
            && (selector.resource.is_some() || point.resource_type == of_type)
            && selector.max_age.is_none_or(|max| age <= max)
            && selector
                .created_before
                .is_none_or(|at| point.created_at < at)
            && selector
                .created_after
                .is_none_or(|at| point.created_at > at)
        {
            fitting.push((point.created_at, point.arn.clone()));
        }
    }
    fitting.sort();
    match selector.pick {
        _ if fitting.is_empty() => Expected::Nothing(about.len()),
        Pick::Latest => Expected::One(fitting.pop().unwrap().1),
        Pick::Earliest => Expected::One(fitting.swap_remove(0).1),
        Pick::Random => Expected::AnyOf(fitting.into_iter().map(|(_, arn)| arn).collect()),
    }
}

static MAIN: LazyLock<RunId> = LazyLock::new(|| RunId::new("main"));
static IT: LazyLock<RestoreName> = LazyLock::new(|| RestoreName::new("it"));

fn asked<'a>(selector: &'a Selector, run: &'a RunId) -> Selection<'a> {
    Selection {
        selector,
        resource_type: "EFS",
        start: start(),
        run,
        restore: &IT,
    }
}

/// Asks twice: with everything prepared for all selectors, and each by itself.
async fn agree<R: Sources>(reader: &R, inventory: &Inventory, selectors: &[Selector]) {
    let all: Vec<&Selector> = selectors.iter().collect();
    let prepared = PointCache::prepare(reader, &all).await.unwrap();
    for selector in selectors {
        let expected = oracle(inventory, selector, "EFS");
        let alone = PointCache::default();
        let asked = asked(selector, &MAIN);
        for shelves in [&prepared, &alone] {
            let chosen = shelves.choose(reader, &asked).await.unwrap();
            let right = match (&chosen, &expected) {
                (Ok(point), Expected::One(arn)) => point.arn == *arn,
                (Ok(point), Expected::AnyOf(arns)) => arns.contains(&point.arn),
                (Err(Unselected::None(passed)), Expected::Nothing(seen)) => passed.seen() == *seen,
                (Err(Unselected::Several(_)), Expected::Several) => true,
                (Err(Unselected::Refused(..)), Expected::Refused) => true,
                _ => false,
            };
            assert!(right, "{selector:?}: {chosen:?}, not {expected:?}");
        }
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn a_selector_means_what_a_plain_search_finds(
        sketches in sketches(60),
        selectors in prop::collection::vec(selector(), 1..8),
    ) {
        let inventory = inventory(&sketches);
        let file = RecordedInventory::new(inventory.clone()).seen_from(&AccountId::new(ACCOUNT), &RegionName::new(REGION));
        block_on(agree(&file, &inventory, &selectors));
    }

    /// Neither the order nor the page in which a recovery point came decides.
    #[test]
    fn the_order_of_a_listing_decides_nothing(
        sketches in sketches(30),
        selector in selector(),
        turn in 0..30_usize,
    ) {
        let inventory = inventory(&sketches);
        let file = RecordedInventory::new(inventory).seen_from(&AccountId::new(ACCOUNT), &RegionName::new(REGION));
        let mut points = Vec::new();
        for vault in VAULTS {
            let query = redrill::backup::PointQuery::InVault {
                vault: redrill::render::VaultName::own(vault),
                resource_arn: None,
                resource_type: None,
            };
            points.extend(block_on(redrill::backup::all_points(&file, &query)).unwrap());
        }
        let asked = asked(&selector, &MAIN);
        let before = select(&points, &asked).cloned();
        points.reverse();
        let turn = turn.min(points.len());
        points.rotate_left(turn);
        prop_assert_eq!(select(&points, &asked).cloned(), before);
    }
}

/// The same through AWS Backup's own paging: up to three pages of each vault.
#[tokio::test]
async fn a_selector_means_the_same_across_the_borders_of_pages() {
    let mut random = fastrand::Rng::with_seed(20);
    for count in [0, 999, 1_000, 1_001, 2_500] {
        let sketches: Vec<Sketch> = (0..count)
            .map(|_| {
                let status = if random.u8(0..5) == 0 {
                    random.usize(0..7)
                } else {
                    random.usize(0..2)
                };
                (
                    random.usize(0..2),
                    random.usize(0..4),
                    status,
                    random.i64(0..40),
                )
            })
            .collect();
        let selectors: Vec<Selector> = (0..40)
            .map(|at| Selector {
                vault: [
                    Some("daily"),
                    Some("weekly"),
                    Some("empty"),
                    None,
                    Some("nowhere"),
                ][at % 5]
                    .map(str::to_owned),
                vault_account: None,
                resource: (at % 5 == 3 || random.bool()).then(|| resource(random.usize(0..5))),
                pick: [Pick::Latest, Pick::Earliest, Pick::Random][random.usize(0..3)],
                created_before: random.bool().then(|| start() - hours(random.i64(0..40))),
                created_after: None,
                max_age: random.bool().then(|| hours(random.i64(1..40))),
            })
            .collect();
        let inventory = inventory(&sketches);
        let emulator = emulator(Options {
            inventory: Some(inventory.clone()),
            ..at_once()
        })
        .await;
        let aws = Aws::<Reads>::connect(&ConnectionSettings {
            account: AccountId::new(ACCOUNT),
            region: RegionName::new(REGION),
            endpoint_url: Some(emulator.url()),
            without_credentials: true,
            ..ConnectionSettings::default()
        })
        .await
        .unwrap();
        agree(&aws, &inventory, &selectors).await;
        emulator.shutdown().await;
    }
}

fn points(statuses_and_ages: &[(&str, i64)]) -> Vec<RecoveryPoint> {
    let sketches: Vec<Sketch> = statuses_and_ages
        .iter()
        .map(|(status, age)| {
            let at = STATUSES
                .iter()
                .position(|s| serde_json::to_value(s).unwrap() == *status);
            (0, 0, at.unwrap(), *age)
        })
        .collect();
    let file = RecordedInventory::new(inventory(&sketches))
        .seen_from(&AccountId::new(ACCOUNT), &RegionName::new(REGION));
    let query = redrill::backup::PointQuery::OfResource {
        resource_arn: resource(0),
    };
    block_on(redrill::backup::all_points(&file, &query)).unwrap()
}

#[test]
fn what_was_passed_over_is_counted_with_its_reason() {
    let mut points = points(&[
        ("PARTIAL", 1),
        ("PARTIAL", 2),
        ("EXPIRED", 3),
        ("COMPLETED", 30),
        ("AVAILABLE", 31),
        ("COMPLETED", 32),
        ("COMPLETED", 10),
        ("COMPLETED", 1),
    ]);
    points[7].deleted_after_copy = true;
    points[5].vault = "weekly".to_owned();
    let selector = Selector {
        vault: Some("daily".to_owned()),
        resource: Some(resource(0)),
        max_age: Some(hours(24)),
        created_before: Some(start() - hours(12)),
        ..Selector::default()
    };
    let unselected = select(&points, &asked(&selector, &MAIN)).unwrap_err();
    assert_eq!(
        unselected.to_string(),
        "no recovery point fits: 8 recovery points were seen: 1 in the vault `weekly`, 2 PARTIAL, 1 EXPIRED, \
         1 deleted as soon as it has been copied, 2 too old, 1 not made before 2026-11-23T12:00:00Z"
    );
}

#[test]
fn exactly_max_age_is_not_too_old() {
    let points = points(&[("COMPLETED", 24)]);
    let mut selector = Selector {
        resource: Some(resource(0)),
        max_age: Some(hours(24)),
        ..Selector::default()
    };
    select(&points, &asked(&selector, &MAIN)).unwrap();
    selector.max_age = Some(hours(24) - SignedDuration::from_secs(1));
    select(&points, &asked(&selector, &MAIN)).unwrap_err();
}

/// The same for the same run; over many runs, each has its turn.
#[test]
fn a_random_choice_hangs_on_the_run_and_the_restore() {
    let points = points(&[
        ("COMPLETED", 1),
        ("COMPLETED", 2),
        ("COMPLETED", 3),
        ("COMPLETED", 4),
    ]);
    let selector = Selector {
        resource: Some(resource(0)),
        pick: Pick::Random,
        ..Selector::default()
    };
    let mut turns = std::collections::BTreeMap::<String, usize>::new();
    for run in 0..400 {
        let run = RunId::new(format!("run-{run}"));
        let asked = asked(&selector, &run);
        let chosen = select(&points, &asked).unwrap();
        assert_eq!(select(&points, &asked).unwrap(), chosen);
        *turns.entry(chosen.arn.clone()).or_default() += 1;
        // One that was not chosen can go without a change.
        let others: Vec<RecoveryPoint> = points
            .iter()
            .filter(|point| **point == *chosen || point.arn.ends_with(['0', '2']))
            .cloned()
            .collect();
        assert_eq!(select(&others, &asked).unwrap(), chosen);
    }
    assert_eq!(turns.len(), 4);
    assert!(turns.values().all(|n| (60..140).contains(n)), "{turns:?}");
    let run = asked(&selector, &MAIN);
    let restores: BTreeSet<&str> = ["a", "b", "c", "d", "e", "f", "g"]
        .iter()
        .map(|restore| {
            let restore = &RestoreName::new(*restore);
            let chosen = select(&points, &Selection { restore, ..run }).unwrap();
            chosen.arn.as_str()
        })
        .collect();
    assert!(restores.len() > 1);
}
