//! Names for the restores of a new plan: that of the resource, fit for what every type asks of a new name.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

/// Short enough that with most run ids a name made of it needs no cutting: identifiers of RDS have 63 characters.
const LONGEST: usize = 32;
/// Characters of a hash that tell two names apart.
const HASH: usize = 8;

/// Resource that a restore is named after.
#[derive(Clone, Copy)]
pub(super) struct Resource<'a> {
    pub(super) of_type: &'a str,
    pub(super) arn: &'a str,
    /// The name that people give it.
    pub(super) name: &'a str,
}

/// One name for each resource, in their order. A name depends on the resource alone, unless two would have the same.
pub(super) fn names(resources: &[Resource<'_>]) -> Vec<String> {
    let first: Vec<String> = resources.iter().map(name).collect();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &first {
        *count.entry(name).or_default() += 1;
    }
    let mut taken = BTreeSet::new();
    resources
        .iter()
        .zip(&first)
        .map(|(resource, name)| {
            let mut name = match count.get(name.as_str()) {
                Some(1) => name.clone(),
                _ => with_hash(name, resource.of_type, resource.arn),
            };
            while !taken.insert(name.clone()) {
                name = with_hash(&name, resource.of_type, &format!("{}{name}", resource.arn));
            }
            name
        })
        .collect()
}

fn name(resource: &Resource<'_>) -> String {
    let Resource { of_type, arn, name } = resource;
    let own = slug(name);
    // Most services want a letter first, and buckets and tables three characters at least.
    let fit = own.starts_with(|c: char| c.is_ascii_lowercase()) && own.len() > 2;
    let name = match fit {
        true => own,
        false => slug(&format!("{of_type}-{own}")),
    };
    match name.len() > LONGEST {
        true => with_hash(&name, of_type, arn),
        false => name,
    }
}

fn with_hash(name: &str, of_type: &str, arn: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(of_type);
    hash.update([0]);
    hash.update(arn);
    let hex: String = hash.finalize()[..HASH / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let cut: String = name.chars().take(LONGEST - HASH - 1).collect();
    format!("{}-{hex}", cut.trim_end_matches('-'))
}

/// Lower-case letters, digits and single hyphens between them.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Resource, names, slug};

    fn resource<'a>(of_type: &'a str, arn: &'a str) -> Resource<'a> {
        let name = arn.rsplit([':', '/']).next().unwrap();
        Resource { of_type, arn, name }
    }

    #[test]
    fn a_name_is_that_of_the_resource() {
        let of = |arn| names(&[resource("EFS", arn)]).remove(0);
        assert_eq!(of("arn:aws:rds:us-east-1:1:cluster:Orders_DB"), "orders-db");
        assert_eq!(of("arn:aws:dynamodb:us-east-1:1:table/Music"), "music");
        assert_eq!(of("arn:aws:s3:::invoices"), "invoices");
        assert_eq!(of("arn:x:namespace/1a1b2c3d"), "efs-1a1b2c3d");
        assert_eq!(of("arn:x:table/t"), "efs-t");
        assert_eq!(of("arn:x:table/日本"), "efs");
        assert!(of(&format!("arn:x:{}", "long-".repeat(40))).len() <= LONGEST);
        assert_eq!(slug("--a__b--"), "a-b");
    }

    #[test]
    fn names_are_unique_and_do_not_depend_on_the_others_order() {
        let mut all = [
            resource("EFS", "arn:x:a/orders"),
            resource("RDS", "arn:x:b:orders"),
            resource("EFS", "arn:x:c/other"),
        ];
        let forwards = names(&all);
        all.reverse();
        let mut backwards = names(&all);
        backwards.reverse();
        assert_eq!(forwards, backwards);
        assert_ne!(forwards[0], forwards[1]);
        assert_eq!(forwards[2], "other");
        let many = names(&[resource("EFS", "arn:x:a/same"); 200]);
        let unique: std::collections::BTreeSet<_> = many.iter().collect();
        assert_eq!(unique.len(), many.len());
        assert!(many.iter().all(|name| name.len() <= LONGEST));
    }
}
