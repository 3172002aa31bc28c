//! The derivation in `docs/tokens.md`, and its vectors.

use std::collections::BTreeSet;

use proptest::prelude::*;
use redrill::ids::{AccountId, IdempotencyToken, RegionName, RestoreName, RunId};
use redrill::plan::{Identity, Request, token};
use redrill::render::Target;
use sha2::{Digest, Sha256};

use crate::support::repository_file;

/// Every vector of the document: a line of JSON in a `json` block, and the token in the `text` block behind it.
fn vectors() -> Vec<(String, String)> {
    let document = repository_file("docs/tokens.md");
    let blocks: Vec<&str> = document.split("```").collect();
    let of = |language: &str| -> Vec<String> {
        blocks
            .iter()
            .filter_map(|block| block.strip_prefix(language))
            .map(|block| block.trim().to_owned())
            .collect()
    };
    let (preimages, tokens) = (of("json"), of("text"));
    assert_eq!(preimages.len(), tokens.len());
    assert!(preimages.len() >= 3);
    preimages.into_iter().zip(tokens).collect()
}

#[test]
fn the_vectors_of_the_document_are_what_sha256sum_makes_of_them() {
    for (preimage, token) in vectors() {
        let hash = Sha256::digest(preimage.as_bytes());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(token, format!("rd1-{}", &hex[..40]));
    }
}

#[test]
fn the_vectors_of_the_document_are_what_redrill_derives() {
    #[derive(serde::Deserialize)]
    struct Preimage {
        attempt: u32,
        plan: String,
        request: Request,
        restore: RestoreName,
        run: RunId,
        target: Target,
    }
    for (text, expected) in vectors() {
        let preimage: Preimage = serde_json::from_str(&text).unwrap();
        let identity = Identity {
            plan: &preimage.plan,
            run: &preimage.run,
            restore: &preimage.restore,
            attempt: preimage.attempt,
            target: &preimage.target,
        };
        assert_eq!(token(&identity, &preimage.request), expected.as_str());
    }
}

fn request() -> impl Strategy<Value = Request> {
    let metadata = prop::collection::btree_map(".{0,12}", ".{0,24}", 0..4);
    (
        ".{0,20}",
        ".{0,20}",
        metadata,
        prop::option::of(any::<bool>()),
    )
        .prop_map(|(arn, resource_type, metadata, copy)| Request {
            copy_source_tags_to_restored_resource: copy,
            iam_role_arn: None,
            idempotency_token: None,
            metadata: metadata.into_iter().collect(),
            recovery_point_arn: arn,
            resource_type,
        })
}

proptest! {
    #[test]
    fn a_token_is_what_aws_takes_and_the_old_token_is_no_part_of_it(request in request(), attempt in 1u32..9) {
        let target = Target::default();
        let identity = Identity { plan: "p", run: &RunId::new("main"), restore: &RestoreName::new("r"), attempt, target: &target };
        let made = token(&identity, &request);
        prop_assert!(made.as_str().len() <= 50);
        prop_assert!(made.as_str().chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)));
        prop_assert_eq!(&token(&identity, &request.clone().with_token(&IdempotencyToken::new("another"))), &made);
    }
}

/// Whatever differs in who asks for what gives another token; nothing runs into its neighbour.
#[test]
fn everything_that_matters_is_in_the_token() {
    let base = |metadata: &[(&str, &str)]| Request {
        copy_source_tags_to_restored_resource: None,
        iam_role_arn: Some("role".to_owned()),
        idempotency_token: None,
        metadata: metadata
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        recovery_point_arn: "arn".to_owned(),
        resource_type: "EFS".to_owned(),
    };
    let target = |account: &str, region: &str, role: Option<&str>| Target {
        name: None,
        assume_role_arn: None,
        account: AccountId::new(account),
        region: RegionName::new(region),
        iam_role_arn: role.map(str::to_owned),
    };
    let mut seen = BTreeSet::new();
    let mut count = 0;
    let mut add =
        |plan: &str, run: &str, restore: &str, attempt: u32, target: &Target, request: &Request| {
            count += 1;
            seen.insert(token(
                &Identity {
                    plan,
                    run: &RunId::new(run),
                    restore: &RestoreName::new(restore),
                    attempt,
                    target,
                },
                request,
            ));
        };
    let t = target("1", "r", None);
    let r = base(&[("a", "b")]);
    add("p", "main", "x", 1, &t, &r);
    add("p2", "main", "x", 1, &t, &r);
    add("p", "main2", "x", 1, &t, &r);
    add("pm", "ain", "x", 1, &t, &r);
    add("p", "main", "y", 1, &t, &r);
    add("p", "main", "x", 2, &t, &r);
    add("p", "main", "x", 1, &target("2", "r", None), &r);
    add("p", "main", "x", 1, &target("1", "s", None), &r);
    add("p", "main", "x", 1, &target("1", "r", Some("role")), &r);
    add("p", "main", "x", 1, &t, &base(&[("a", "c")]));
    add("p", "main", "x", 1, &t, &base(&[("ab", "")]));
    add("p", "main", "x", 1, &t, &base(&[("a", "b"), ("c", "d")]));
    add(
        "p",
        "main",
        "x",
        1,
        &t,
        &Request {
            copy_source_tags_to_restored_resource: Some(false),
            ..r.clone()
        },
    );
    add(
        "p",
        "main",
        "x",
        1,
        &t,
        &Request {
            copy_source_tags_to_restored_resource: Some(true),
            ..r.clone()
        },
    );
    assert_eq!(seen.len(), count);
}
