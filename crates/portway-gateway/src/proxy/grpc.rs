//! gRPC requests, which services receive over HTTP/2.

use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;
use hyper::http::uri::Scheme;
use hyper::{Request, Uri, Version};

use super::headers::INVALID_HOST;

/// The media type of gRPC. A suffix such as `+proto` names the encoding of the messages.
const MEDIA_TYPE: &str = "application/grpc";

/// Whether a request is one of gRPC. Such a request arrives over HTTP/2, because gRPC relies on
/// trailers. gRPC-Web, which works over HTTP/1.1, has another media type.
pub(super) fn is_grpc<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_2 && has_grpc_type(request.headers())
}

fn has_grpc_type(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok());
    let Some((start, rest)) = value.and_then(|value| value.split_at_checked(MEDIA_TYPE.len()))
    else {
        return false;
    };
    start.eq_ignore_ascii_case(MEDIA_TYPE) && (rest.is_empty() || rest.starts_with(['+', ';', ' ']))
}

/// Converts the head of a request that was prepared for HTTP/1.1 to HTTP/2.
///
/// # Errors
/// If the host is not valid in a URI.
pub(super) fn convert_to_http2(parts: &mut Parts) -> Result<(), &'static str> {
    let host = parts.headers.remove(header::HOST);
    let host = host.ok_or(INVALID_HOST)?;
    // `TE` is the only such header that HTTP/2 permits (RFC 9113 8.2.2).
    parts.headers.remove(header::CONNECTION);
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(host.as_bytes().try_into().map_err(|_| INVALID_HOST)?);
    parts.uri = Uri::from_parts(uri).map_err(|_| INVALID_HOST)?;
    parts.version = Version::HTTP_2;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_the_media_type_of_grpc() {
        for (value, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC; charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("application/grp\u{e9}", false),
        ] {
            let mut headers = HeaderMap::new();
            let value = header::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.insert(header::CONTENT_TYPE, value.clone());
            assert_eq!(has_grpc_type(&headers), expected, "{value:?}");
        }
        assert!(!has_grpc_type(&HeaderMap::new()));
    }

    #[test]
    fn converts_a_head_to_http_2() {
        let request = Request::post("/pkg.Service/Method")
            .header("host", "jobi.localhost:7678")
            .header("te", "trailers")
            .header("connection", "te")
            .body(())
            .unwrap();
        let (mut parts, ()) = request.into_parts();
        convert_to_http2(&mut parts).unwrap();
        assert_eq!(parts.uri, "http://jobi.localhost:7678/pkg.Service/Method");
        assert_eq!(parts.version, Version::HTTP_2);
        let names: Vec<_> = parts.headers.keys().collect();
        assert_eq!(names, [&header::TE]);
    }
}
