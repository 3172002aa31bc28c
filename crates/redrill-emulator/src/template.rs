//! Texts with places in them, as `resource_types.yaml` writes ARNs: read once, filled in for each job.

use serde::{Deserialize, Deserializer};

/// A text in parts.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// `{name}` or `{name:argument}`.
    Place(String, String),
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after
                .split_once('}')
                .ok_or_else(|| format!("{text}: no }}"))?;
            let (name, argument) = place.split_once(':').unwrap_or((place, ""));
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Place(name.to_owned(), argument.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Template, D::Error> {
        Template::parse(&String::deserialize(text)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let place = |name: &str, argument: &str| Part::Place(name.into(), argument.into());
        let template = Template::parse("arn:{partition}:x/{meta:aws:backup:Key}{uuid}z").unwrap();
        assert_eq!(
            template.parts(),
            [
                Part::Text("arn:".into()),
                place("partition", ""),
                Part::Text(":x/".into()),
                place("meta", "aws:backup:Key"),
                place("uuid", ""),
                Part::Text("z".into()),
            ]
        );
        Template::parse("{a").unwrap_err();
    }
}
