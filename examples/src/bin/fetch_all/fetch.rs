//! One URL: look-up, connect, request, answer, end of the connection.

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use kumi_hyper::HyperIo;

use crate::failure::{Failure, Kind};

/// Fetches `url` over a connection of its own and returns the status of the answer, once its body
/// was read to the end.
///
/// A redirect is an answer like any other: it is not followed.
///
/// # Cancel safety
///
/// Dropping it closes the connection, and with it gives the request up.
pub(crate) async fn fetch(url: &str) -> Result<StatusCode, Failure> {
    let target = Target::parse(url)?;
    let stream = kumi::net::connect((target.host.as_str(), target.port))
        .await
        .map_err(|error| Failure::connect(&error))?;
    let (mut sender, connection) = http1::handshake(HyperIo::new(stream)).await?;
    // If this future is dropped, the handle is, and that ends the connection.
    let connection = kumi::spawn(connection);
    let response = sender.send_request(target.request).await?;
    let status = response.status();
    read_to_end(response.into_body()).await?;
    drop(sender);
    // The answer is there; a connection that does not close as it should is no failure of it.
    let _ = connection.await;
    Ok(status)
}

async fn read_to_end(mut body: Incoming) -> Result<(), hyper::Error> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    debug_assert!(body.is_end_stream());
    Ok(())
}

/// Where to connect, and what to say there.
#[derive(Debug)]
struct Target {
    host: String,
    port: u16,
    request: Request<Empty<Bytes>>,
}

impl Target {
    fn parse(url: &str) -> Result<Self, Failure> {
        let bad = |why: &dyn std::fmt::Display| Failure::new(Kind::BadUrl, why);
        let uri: Uri = url.parse().map_err(|error| bad(&error))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(other) => {
                let kind = Kind::Scheme(other.to_owned());
                return Err(Failure::new(kind, "only http is spoken here"));
            }
            None => return Err(bad(&"no scheme: it should begin with http://")),
        }
        let Some(authority) = uri.authority() else {
            return Err(bad(&"no host"));
        };
        let host = authority.host();
        if host.is_empty() {
            return Err(bad(&"no host"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(HOST, without_user(authority.as_str()))
            .header(USER_AGENT, "kumi-fetch-all")
            .header(CONNECTION, "close")
            .body(Empty::new())
            .map_err(|error| bad(&error))?;
        Ok(Self {
            // An IPv6 address is in brackets in a URL, and nowhere else.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            request,
        })
    }
}

/// The part of an authority that servers are told: not who asks.
fn without_user(authority: &str) -> &str {
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(url: &str) -> Kind {
        Target::parse(url).expect_err("a bad URL").kind
    }

    #[test]
    fn a_url_says_where_to_connect_and_what_to_ask_for() {
        let target = Target::parse("http://me@example.org:8080/a/b?c=d").expect("a good URL");
        assert_eq!((target.host.as_str(), target.port), ("example.org", 8080));
        assert_eq!(target.request.uri(), "/a/b?c=d");
        assert_eq!(target.request.headers()[HOST], "example.org:8080");
        let target = Target::parse("http://[::1]").expect("a good URL");
        assert_eq!((target.host.as_str(), target.port), ("::1", 80));
        assert_eq!(target.request.uri(), "/");
        assert_eq!(target.request.headers()[HOST], "[::1]");
    }

    #[test]
    fn what_is_no_http_url_is_named() {
        for url in [
            "",
            "example.org",
            "/path",
            "http://",
            "http://:80/",
            "http://[::1/",
            "http:// /",
        ] {
            assert_eq!(kind(url), Kind::BadUrl, "{url}");
        }
        assert_eq!(
            kind("https://example.org/"),
            Kind::Scheme("https".to_owned())
        );
        assert_eq!(
            kind("https://example.org/").to_string(),
            "unsupported scheme (https)"
        );
    }
}
