//! The query of a request: names, types and limits as the API model has them.

use jiff::Timestamp;

use super::error::ApiError;
use super::resource_types;
use redrill_inventory::is_account_id;

/// Decoded pairs, in order.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: Option<&str>) -> Query {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Query(pairs.into_owned().collect())
    }

    /// All of it, in order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    /// The first value of that name; an empty one is none.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// 1 to 1,000; without it a page holds 1,000 (what AWS takes then is not documented).
    pub(super) fn max_results(&self, name: &str) -> Result<usize, ApiError> {
        self.max_results_of(name, 1000)
    }

    /// 1 to so many; without it as many.
    pub(super) fn max_results_of(&self, name: &str, most: usize) -> Result<usize, ApiError> {
        match self.text(name) {
            None => Ok(most),
            Some(text) => match text.parse() {
                Ok(number) if (1..=most).contains(&number) => Ok(number),
                _ => Err(ApiError::invalid(
                    name,
                    format!("{name} is {text:?}; it has to be from 1 to {most}."),
                )),
            },
        }
    }

    /// ISO 8601, as both SDKs write it; seconds since 1970, as AWS's own parsers take them too.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let seconds = |text: &str| {
            let millis = text.parse::<f64>().ok()? * 1000.0;
            Timestamp::from_millisecond(millis as i64).ok()
        };
        match text.parse().ok().or_else(|| seconds(text)) {
            Some(time) => Ok(Some(time)),
            None => Err(ApiError::invalid(
                name,
                format!("{name} is {text:?}; it has to be a time."),
            )),
        }
    }

    /// 12 digits; `*` where the operation takes it (ListRestoreJobs of an organization's management account,
    /// <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreJobs.html>).
    pub(super) fn account(&self, name: &str, star: bool) -> Result<Option<String>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) if is_account_id(text) || star && text == "*" => Ok(Some(text.to_owned())),
            Some(text) => Err(ApiError::invalid(
                name,
                format!("{name} is {text:?}; it has to be 12 digits."),
            )),
        }
    }

    /// The declared pattern is `^[a-zA-Z0-9\-\_\.]{1,50}$`; AWS's own names with spaces (`Storage Gateway`) break it and are
    /// taken.
    pub(super) fn resource_type(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some(text) if is_resource_type(text) => Ok(Some(text.to_owned())),
            Some(text) => Err(ApiError::invalid(
                name,
                format!("{name} is {text:?}; that is not a resource type."),
            )),
        }
    }

    /// A value of an enumeration.
    pub(super) fn one_of<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(ApiError::invalid(
                name,
                format!("{name} has no value {text:?}."),
            )),
        }
    }

    /// The query without what may change from page to page: a page token belongs to it.
    pub(super) fn without_page(&self) -> String {
        let mut pairs: Vec<String> = self
            .0
            .iter()
            .filter(|(key, _)| {
                !key.eq_ignore_ascii_case("nextToken") && !key.eq_ignore_ascii_case("maxResults")
            })
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.sort();
        pairs.join("&")
    }
}

/// Returns true if this can be the name of a resource type.
pub(super) fn is_resource_type(text: &str) -> bool {
    let fits = (1..=50).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    fits || resource_types::find(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_sdks_write_them() {
        for text in [
            "2026-01-02T03%3A04%3A05Z",
            "2026-01-02T03%3A04%3A05.000000Z",
            "2026-01-02T04%3A04%3A05%2B01%3A00",
            "1767323045",
            "1.767323045E9",
        ] {
            let query = Query::parse(Some(&format!("createdAfter={text}")));
            let time = query.time("createdAfter").unwrap().unwrap();
            assert_eq!(time.as_second(), 1_767_323_045, "{text}");
        }
        Query::parse(Some("createdAfter=yesterday"))
            .time("createdAfter")
            .unwrap_err();
    }

    #[test]
    fn limits() {
        let max = |text: &str| Query::parse(Some(text)).max_results("maxResults").ok();
        assert_eq!(max(""), Some(1000));
        assert_eq!(max("maxResults=1"), Some(1));
        assert_eq!(max("maxResults=1000"), Some(1000));
        for bad in ["0", "1001", "-1", "x", "1.5"] {
            assert_eq!(max(&format!("maxResults={bad}")), None, "{bad}");
        }
        let account = |text: &str| Query::parse(Some(text)).account("accountId", true).ok();
        assert_eq!(account("accountId=*"), Some(Some("*".into())));
        assert_eq!(account("accountId=12345"), None);
    }
}
