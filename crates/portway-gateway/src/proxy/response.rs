//! Prepares the responses of services for clients.

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode, Version};

use super::upgrade::{UpgradeKind, UpgradeRequest};
use crate::error_pages;
use crate::fields;
use crate::response::ResponseBody;
use crate::rewrite::{Rewriting, Rewritten};
use crate::upstream::{PooledConnection, UpstreamBody};

/// Prepares the response of a service for the client.
pub(super) fn finish(
    mut response: Response<Incoming>,
    connection: PooledConnection,
    upgrade: Option<UpgradeRequest>,
    rewriting: Option<Rewriting>,
) -> Response<ResponseBody> {
    if !fields::has_supported_coding(response.headers()) {
        return error_pages::unsupported_coding();
    }
    fields::normalize_length(response.headers_mut());
    let is_upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    match upgrade {
        Some(upgrade) if is_upgraded => {
            let Some(protocol) = upgrade.accepted(response.headers()).cloned() else {
                return error_pages::unexpected_upgrade();
            };
            let kind = upgrade.kind();
            fields::remove_hop_by_hop(response.headers_mut());
            upgrade.connect(&mut response);
            if kind == UpgradeKind::Http1 {
                let headers = response.headers_mut();
                headers.insert(header::UPGRADE, protocol);
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
        }
        None if is_upgraded => return error_pages::unexpected_upgrade(),
        _ => fields::remove_hop_by_hop(response.headers_mut()),
    }
    // hyper sets the version that the client uses.
    *response.version_mut() = Version::default();
    let response = response.map(|body| UpstreamBody::new(body, connection));
    let Some(rewriting) = rewriting else {
        return response.map(ResponseBody::Upstream);
    };
    rewriting.apply(response).map(|body| match body {
        Rewritten::Unchanged(body) => ResponseBody::Upstream(body),
        Rewritten::Changed(body) => ResponseBody::Rewritten(body),
    })
}
