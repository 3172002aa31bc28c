//! Any bytes as requests to the emulator: lines of method and target, with the rest as the body of each.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use redrill_emulator::{Inventory, fuzzing};

static INVENTORY: LazyLock<Inventory> =
    LazyLock::new(|| Inventory::parse(include_str!("../../inventories/mixed.yaml")).unwrap());

fuzz_target!(|data: &[u8]| {
    let (head, body) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let Ok(head) = std::str::from_utf8(head) else {
        return;
    };
    let requests = head.lines().take(8).filter_map(|line| {
        let (method, target) = line.split_once(' ')?;
        Some((method, target, body))
    });
    let requests: Vec<_> = requests.collect();
    fuzzing::requests(None, requests.iter().copied());
    fuzzing::requests(Some(INVENTORY.clone()), requests);
    if let Ok(text) = std::str::from_utf8(body) {
        fuzzing::texts(text);
    }
});
