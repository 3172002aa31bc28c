//! Costs against sums by hand.

use redrill::forecast::{PriceTable, PricedRestore, cost};

const GB: i64 = 1024 * 1024 * 1024;

fn restore(
    region: &'static str,
    resource_type: &'static str,
    gigabytes: i64,
) -> PricedRestore<'static> {
    PricedRestore {
        region,
        resource_type,
        size_bytes: Some(gigabytes * GB),
        is_cold: false,
        hours: 10.0,
    }
}

#[test]
fn the_table_that_is_built_in_says_when_and_where_from() {
    let table = PriceTable::built_in().unwrap();
    assert!(
        table
            .sources
            .iter()
            .all(|source| source.contains("https://"))
    );
    assert_eq!(table.currency, "USD");
    assert!(table.regions.len() > 10);
}

#[test]
fn five_plans_cost_what_a_hand_adds_up_to() {
    let table = PriceTable::built_in().unwrap();
    let near = |is: f64, wanted: f64| assert!((is - wanted).abs() < 1e-9, "{is}, not {wanted}");
    // 1: 100 GB of EFS at 0.024.
    let of = cost(&table, &[restore("us-west-1", "EFS", 100)], &[]);
    near(of.restores, 2.4);
    near(of.total, 2.4);
    assert_eq!(of.left_out, ["what EFS restores create in us-west-1"]);
    // 2: 10 GB of DynamoDB at 0.168, and 50 GB of cold EFS at 0.036.
    let cold = PricedRestore {
        is_cold: true,
        ..restore("us-west-1", "EFS", 50)
    };
    let of = cost(&table, &[restore("us-west-1", "DynamoDB", 10), cold], &[]);
    near(of.total, 1.68 + 1.8);
    // 3: nothing is known of it, and nothing is made up.
    let of = cost(&table, &[restore("us-west-2", "EFS", 100)], &[]);
    near(of.total, 0.0);
    assert!(!of.is_priced);
    assert_eq!(
        of.left_out,
        [
            "EFS restores in us-west-2",
            "what EFS restores create in us-west-2"
        ]
    );
    // 4: 40,000 transitions in Sao Paulo at 0.0375 a thousand.
    let of = cost(&table, &[], &[("sa-east-1".to_owned(), 40_000)]);
    near(of.transitions, 1.5);
    near(of.total, 1.5);
    // 5: other prices by a file: 100 GB at 0.03, kept for 10 of 730 hours at 0.3 a month, and 0.5 an hour.
    let own = PriceTable::read(
        "date: 2026-11-01\ncurrency: EUR\nsources: [ours]\nregions:\n  here: { restore_per_gb: { EFS: 0.03 }, stored_per_gb_month: { EFS: 0.3 }, created_per_hour: { RDS: 0.5 } }\n",
    )
    .unwrap();
    let of = cost(
        &own,
        &[restore("here", "EFS", 100), restore("here", "RDS", 7)],
        &[],
    );
    near(of.restores, 3.0);
    near(of.created, 100.0 * 0.3 * 10.0 / 730.0 + 5.0);
    assert_eq!(
        (of.currency.as_str(), of.prices_of.to_string().as_str()),
        ("EUR", "2026-11-01")
    );
    assert_eq!(of.left_out, ["RDS restores in here"]);
}

#[test]
fn a_size_that_is_not_known_is_left_out() {
    let table = PriceTable::built_in().unwrap();
    let unknown = PricedRestore {
        size_bytes: None,
        ..restore("us-west-1", "EFS", 1)
    };
    let of = cost(&table, &[unknown], &[]);
    assert_eq!(of.total.to_bits(), 0.0_f64.to_bits());
    assert!(
        of.left_out
            .contains(&"EFS restores whose size is not known".to_owned()),
        "{of:?}"
    );
}
