//! Check of who may ask: programs of this machine, and no page of the web.
//!
//! A web page can make a browser send requests to a loopback address, by a name of its own that resolves to it (DNS
//! rebinding), and the emulator checks no signature. Browsers say what page asks, and by which name: requests from a
//! page elsewhere, and by a name that is not this machine's, are refused.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap, ORIGIN};
use hyper::http::uri::Authority;

use super::error::{ApiError, ErrorCode};

/// Refuses what a page of the web could have sent. An emulator that is exposed answers to any name: what its machine is
/// called elsewhere is not known here.
pub(super) fn check(
    headers: &HeaderMap,
    authority: Option<&Authority>,
    exposed: bool,
) -> Result<(), ApiError> {
    let refused = |why: String| Err(ApiError::new(ErrorCode::AccessDenied, why));
    if !exposed {
        let host = headers.get(HOST).map(|host| host.to_str().unwrap_or("?"));
        let named = host.into_iter().chain(authority.map(Authority::as_str));
        for name in named {
            if !is_loopback(name) {
                return refused(format!(
                    "The emulator only answers to localhost, 127.0.0.0/8 and [::1], and this request is for the host {name}: a web page could have sent it (DNS rebinding). Use http://localhost or http://127.0.0.1 with its port, or start it with --expose-without-authentication."
                ));
            }
        }
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        let host = origin.split_once("://").map(|(_, host)| host);
        if !host.is_some_and(is_loopback) {
            return refused(format!(
                "The emulator does not answer web pages, and this request comes from one: its origin is {origin}."
            ));
        }
    }
    let site = headers.get("sec-fetch-site");
    if site.is_some_and(|site| site == "cross-site") {
        return refused(
            "The emulator does not answer web pages, and this request comes from one of another site."
                .to_owned(),
        );
    }
    Ok(())
}

/// Returns true if a name, with or without a port, is this machine's alone. Names below `localhost` are, by RFC 6761.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    if host.contains('@') {
        return false;
    }
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:45871",
            "localhost.:80",
            "backup.localhost:1",
            "127.0.0.1",
            "127.0.0.1:45871",
            "127.200.0.9:1",
            "[::1]",
            "[::1]:45871",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:45871",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "10.0.0.1",
            "0.0.0.0",
            "169.254.169.254",
            "[fe80::1]:1",
            "localhost@evil.example",
            "evil.example@localhost",
            "local host",
            "::1",
            "null",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
