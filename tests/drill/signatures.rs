//! Signed evidence: who has signed what, offline, and everything that is not so.

use std::path::Path;
use std::process::Command;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redrill::evidence::{
    SignatureFile, SignatureProblem, SignedEnvelope, SigningKey, TrustedKeys, counted,
};
use serde_json::{Value, json};

use super::evidence::bundles;
use super::run;
use crate::support::{folder, write};

const STATEMENT: &[u8] = b"{\"a\":1}\n";

/// A key of somebody, as `openssl genpkey` and `openssl pkey -pubout` write it.
pub(crate) fn pair() -> (String, String) {
    let pem = |label: &str, bytes: &[u8]| {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(bytes)
        )
    };
    let pair = Ed25519KeyPair::generate().unwrap();
    let spki = [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ],
        pair.public_key().as_ref(),
    ];
    let private = pair.to_pkcs8v1().unwrap();
    (
        pem("PRIVATE KEY", private.as_ref()),
        pem("PUBLIC KEY", &spki.concat()),
    )
}

fn signer(pair: &(String, String)) -> SigningKey {
    SigningKey::from_pem("key", &pair.0).unwrap()
}

fn trusted(of: &[(&str, &(String, String))]) -> TrustedKeys {
    let mut keys = TrustedKeys::default();
    for (name, pair) in of {
        keys.add(name, &pair.1).unwrap();
    }
    keys
}

/// An envelope that these have signed.
fn envelope(statement: &[u8], signers: &[&(String, String)]) -> SignedEnvelope {
    let mut envelope = SignedEnvelope::of(statement);
    for pair in signers {
        envelope.sign(statement, &signer(pair)).unwrap();
    }
    envelope
}

fn signed<'k>(
    envelope: &SignedEnvelope,
    statement: &[u8],
    keys: &'k TrustedKeys,
    threshold: usize,
) -> Result<Vec<&'k str>, SignatureProblem> {
    counted(envelope.signers(statement, keys)?, threshold)
}

#[test]
fn k_of_n_are_counted_and_named() {
    let (ann, ben, eve) = (pair(), pair(), pair());
    let keys = trusted(&[("ann", &ann), ("ben", &ben)]);
    let both = envelope(STATEMENT, &[&ann, &ben]);
    assert_eq!(signed(&both, STATEMENT, &keys, 2).unwrap(), ["ann", "ben"]);
    let too_few = SignatureProblem::TooFew {
        signed: 2,
        wanted: 3,
    };
    assert_eq!(signed(&both, STATEMENT, &keys, 3), Err(too_few));
    // A stranger does not count, and is not passed over either.
    let with_eve = envelope(STATEMENT, &[&ann, &ben, &eve]);
    let unknown = SignatureProblem::Unknown(signer(&eve).id());
    assert_eq!(signed(&with_eve, STATEMENT, &keys, 1), Err(unknown.clone()));
    assert_eq!(
        signed(&envelope(STATEMENT, &[&eve]), STATEMENT, &keys, 1),
        Err(unknown)
    );
    // Nobody signs twice, and nobody counts twice.
    let mut again = both.clone();
    again.sign(STATEMENT, &signer(&ann)).unwrap_err();
    let mut doubled: Value = serde_json::from_str(&both.text()).unwrap();
    doubled["signatures"][1] = doubled["signatures"][0].clone();
    let doubled = serde_json::to_string_pretty(&doubled).unwrap() + "\n";
    let doubled = SignedEnvelope::parse(&doubled, STATEMENT).unwrap();
    let twice = SignatureProblem::Twice("ann".to_owned());
    assert_eq!(signed(&doubled, STATEMENT, &keys, 2), Err(twice));
    let mut keys = keys;
    let same = keys.add("anna", &ann.1).unwrap_err();
    assert_eq!(same.to_string(), "ann and anna hold the same key");
    // A signature under another's name.
    let mut swapped: Value = serde_json::from_str(&both.text()).unwrap();
    swapped["signatures"][0]["keyid"] = signer(&ben).id().into();
    swapped["signatures"][1]["keyid"] = signer(&ann).id().into();
    let swapped = serde_json::to_string_pretty(&swapped).unwrap() + "\n";
    let swapped = SignedEnvelope::parse(&swapped, STATEMENT).unwrap();
    let keys = trusted(&[("ann", &ann), ("ben", &ben)]);
    assert_eq!(
        signed(&swapped, STATEMENT, &keys, 1),
        Err(SignatureProblem::Invalid("ben".to_owned()))
    );
    // Another statement's.
    let other = SignedEnvelope::parse(&both.text(), b"{\"a\":2}\n");
    assert_eq!(other, Err(SignatureProblem::AnotherStatement));
    assert_eq!(
        signed(&both, b"{\"a\":2}\n", &keys, 1),
        Err(SignatureProblem::Invalid("ann".to_owned()))
    );
}

#[test]
fn every_changed_byte_of_signatures_is_found() {
    let (ann, ben) = (pair(), pair());
    let keys = trusted(&[("ann", &ann), ("ben", &ben)]);
    let text = envelope(STATEMENT, &[&ann, &ben]).text();
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..1000 {
        let mut changed = text.clone().into_bytes();
        let at = random.usize(0..changed.len());
        changed[at] ^= random.u8(1..);
        let Ok(changed) = String::from_utf8(changed) else {
            continue;
        };
        let found = SignedEnvelope::parse(&changed, STATEMENT)
            .and_then(|envelope| signed(&envelope, STATEMENT, &keys, 2).map(|_| ()));
        assert!(found.is_err(), "byte {at}: {changed}");
    }
}

/// A key of cosign's, and its public half in PEM.
fn cosign() -> (EcdsaKeyPair, String) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let spki = [
        &[
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
            0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ],
        pair.public_key().as_ref(),
    ];
    let text = STANDARD.encode(spki.concat());
    let public = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
    (pair, public)
}

fn signature(pair: &EcdsaKeyPair, message: &[u8]) -> String {
    let signature = pair.sign(&SystemRandom::new(), message).unwrap();
    STANDARD.encode(signature.as_ref())
}

/// What cosign writes (<https://docs.sigstore.dev/about/bundle>): of `sign-blob` and of `attest-blob`.
fn sigstore(pair: &EcdsaKeyPair, statement: &[u8], is_attested: bool) -> Value {
    let mut bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": "aGludA==" }, "tlogEntries": [{ "logIndex": "1" }] },
    });
    if is_attested {
        let kind = "application/vnd.in-toto+json";
        let head = format!("DSSEv1 {} {kind} {} ", kind.len(), statement.len());
        bundle["dsseEnvelope"] = json!({
            "payload": STANDARD.encode(statement),
            "payloadType": kind,
            "signatures": [{ "sig": signature(pair, &[head.as_bytes(), statement].concat()) }],
        });
    } else {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, statement);
        bundle["messageSignature"] = json!({
            "messageDigest": { "algorithm": "SHA2_256", "digest": STANDARD.encode(digest.as_ref()) },
            "signature": signature(pair, statement),
        });
    }
    bundle
}

#[test]
fn a_bundle_of_cosign_counts_as_far_as_it_is_verified_offline() {
    let (pair, public) = cosign();
    let (_, stranger) = cosign();
    let mut keys = TrustedKeys::default();
    keys.add("ann", &public).unwrap();
    let mut strangers = TrustedKeys::default();
    strangers.add("eve", &stranger).unwrap();
    for is_attested in [false, true] {
        let bundle = sigstore(&pair, STATEMENT, is_attested);
        let found = SignatureFile::parse(&bundle.to_string(), STATEMENT).unwrap();
        assert_eq!(found.signers(STATEMENT, &keys), Ok(vec!["ann"]));
        assert_eq!(
            found.signers(STATEMENT, &strangers),
            Err(SignatureProblem::NoKey)
        );
        let other = SignatureFile::parse(&bundle.to_string(), b"{\"a\":2}\n").unwrap_err();
        assert_eq!(other, SignatureProblem::AnotherStatement);
        // Without a key it is a certificate's, which takes more than a key to verify.
        let mut keyless = bundle.clone();
        keyless["verificationMaterial"] = json!({ "certificate": { "rawBytes": "AA==" } });
        let keyless = SignatureFile::parse(&keyless.to_string(), STATEMENT).unwrap_err();
        assert!(keyless.to_string().contains("`cosign verify-blob`"));
        let text = bundle.to_string();
        let mut random = fastrand::Rng::with_seed(7);
        let signed = ["dsseEnvelope", "messageSignature"][usize::from(!is_attested)];
        // The log entry and the media type's version are not signed; all of this is.
        let part = bundle[signed].to_string();
        let from = text.find(&part).unwrap();
        for _ in 0..500 {
            let mut changed = text.clone().into_bytes();
            let at = from + random.usize(0..part.len());
            changed[at] ^= random.u8(1..);
            let Ok(changed) = String::from_utf8(changed) else {
                continue;
            };
            let found = SignatureFile::parse(&changed, STATEMENT);
            let signers = found.and_then(|found| found.signers(STATEMENT, &keys).map(|_| ()));
            assert!(signers.is_err(), "byte {at}: {changed}");
        }
    }
}

#[test]
fn what_is_no_key_is_said() {
    let (private, public) = pair();
    for text in [
        "",
        "x",
        &public,
        &private.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
    ] {
        assert!(
            matches!(
                SigningKey::from_pem("k", text),
                Err(SignatureProblem::NotAKey { .. })
            ),
            "{text}"
        );
    }
    for text in ["", &private, &public.replace("MCow", "MCox")] {
        assert!(
            matches!(
                TrustedKeys::default().add("k", text),
                Err(SignatureProblem::NotAKey { .. })
            ),
            "{text}"
        );
    }
}

/// What openssl says of a signature, by the recipe of the documents.
fn openssl(folder: &Path, keyid: &str, key: &str) -> Option<bool> {
    let recipe = crate::support::repository_file("docs/drills.md");
    let begin = recipe.find("envelope=drill.zip.dsse.json").unwrap();
    let recipe = &recipe[begin..begin + recipe[begin..].find("```").unwrap()];
    let recipe = recipe
        .replace("drill.zip", "bundle.zip")
        .replace("KEYID", keyid)
        .replace("ann.pem", key);
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !(Command::new("openssl").arg("version").output().is_ok() && has("jq")) {
        crate::npm::skip("no openssl or jq", "install them to try the recipe");
        return None;
    }
    let script = format!("set -eu\n{recipe}");
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.success(),
        said.contains("Signature Verified Successfully"),
        "{said}"
    );
    Some(output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_signed_one_after_the_other_and_verified_offline() {
    let folder = folder();
    let at = folder.path();
    let (directory, zip) = bundles(at).await;
    let people = [("ann", pair()), ("ben", pair()), ("eve", pair())];
    for trusted in ["two", "all"] {
        std::fs::create_dir(at.join(trusted)).unwrap();
    }
    for (name, (private, public)) in &people {
        write(at, &format!("{name}.key"), private);
        write(at, &format!("all/{name}.pem"), public);
        if *name != "eve" {
            write(at, &format!("two/{name}.pem"), public);
        }
    }
    let sign = |name: &str| {
        run(
            at,
            &[
                "evidence",
                "sign",
                "bundle.zip",
                "--key",
                &format!("{name}.key"),
            ],
        )
    };
    let verify = |more: &[&str]| run(at, &[&["evidence", "verify", "bundle.zip"], more].concat());
    let (code, _, stderr) = verify(&["--keys", "two"]);
    assert!(
        code == 6 && stderr.contains("nobody has signed: there is no "),
        "{stderr}"
    );
    for name in ["ann", "ben"] {
        let (code, _, stderr) = sign(name);
        assert_eq!(code, 0, "{stderr}");
    }
    let (code, stdout, stderr) = verify(&["--keys", "two", "--threshold", "2"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("OK: signed by ann, ben (2 asked for)\n"),
        "{stdout}"
    );
    let (code, stdout, _) = verify(&[]);
    assert!(
        code == 0 && stdout.contains("bundle.zip.dsse.json: 2 signatures; --keys DIR says whose"),
        "{stdout}"
    );
    // The folder has the same statement, so the same signatures hold.
    let signatures = ["--keys", "two", "--signatures", "bundle.zip.dsse.json"];
    let (code, _, stderr) = run(
        at,
        &[&["evidence", "verify", "bundle/"], &signatures[..]].concat(),
    );
    assert_eq!(code, 0, "{stderr}");
    let (code, _, stderr) = sign("ann");
    assert!(code == 6 && stderr.contains("has signed twice"), "{stderr}");

    // OpenSSL alone agrees, and does not where it is another's.
    let envelope: Value =
        serde_json::from_slice(&crate::support::bytes(&at.join("bundle.zip.dsse.json"))).unwrap();
    let keyid = envelope["signatures"][0]["keyid"].as_str().unwrap();
    if openssl(at, keyid, "two/ann.pem").is_some() {
        assert_eq!(openssl(at, keyid, "two/ann.pem"), Some(true));
        assert_eq!(openssl(at, keyid, "two/ben.pem"), Some(false));
    }

    // A stranger.
    assert_eq!(sign("eve").0, 0);
    let (code, _, stderr) = verify(&["--keys", "two"]);
    assert!(
        code == 6 && stderr.contains("which is not among the keys that are trusted"),
        "{stderr}"
    );
    assert_eq!(verify(&["--keys", "all", "--threshold", "3"]).0, 0);
    write(at, "all/ann2.pem", &people[0].1.1);
    let (code, _, stderr) = verify(&["--keys", "all"]);
    assert!(
        code == 64 && stderr.contains("ann and ann2 hold the same key"),
        "{stderr}"
    );

    // What was signed was changed, or belongs to another bundle.
    let text = std::fs::read_to_string(directory.join("about.json")).unwrap();
    write(
        &directory,
        "about.json",
        &text.replacen("failed", "passed", 1),
    );
    let (code, _, _) = run(at, &["evidence", "sign", "bundle", "--key", "ann.key"]);
    assert_eq!(code, 6, "what does not verify is not signed");
    let other = SignedEnvelope::of(b"{}").text();
    write(at, "other.json", &other);
    let (code, _, stderr) = verify(&["--keys", "two", "--signatures", "other.json"]);
    assert!(
        code == 6 && stderr.contains("are of another statement"),
        "{stderr}"
    );
    let (code, _, stderr) = run(
        at,
        &["evidence", "sign", "bundle.zip", "--key", "two/ann.pem"],
    );
    assert!(
        code == 64 && stderr.contains("is not an Ed25519 private key"),
        "{stderr}"
    );

    // Two entries of one name: readers take different ones.
    let mut files = redrill::evidence::unpack("bundle.zip", &crate::support::bytes(&zip)).unwrap();
    files.insert("requests.jsonX".to_owned(), b"{}\n".to_vec());
    let mut packed = redrill::evidence::pack(&files).unwrap();
    let name = b"requests.jsonX";
    let places: Vec<usize> = (0..packed.len() - name.len())
        .filter(|at| packed[*at..].starts_with(name))
        .collect();
    assert_eq!(places.len(), 2);
    for place in places {
        packed[place + name.len() - 1] = b'l';
    }
    std::fs::write(at.join("twice.zip"), packed).unwrap();
    let (code, _, stderr) = run(at, &["evidence", "verify", "twice.zip"]);
    assert!(
        code == 6 && stderr.starts_with("error: requests.jsonl: it is in the archive twice"),
        "{stderr}"
    );
}
