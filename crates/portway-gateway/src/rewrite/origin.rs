//! Maps the origin of a page to the one that its services know.
//!
//! A backend with a hard-coded list of CORS origins allows `http://localhost:5173`. The page of the
//! same instance has another origin under its name. A backend that allows the one origin in a mapped
//! variable names the page's present port in its response, whatever it was sent.

use hyper::Uri;
use hyper::header::{self, HeaderMap, HeaderValue};
use portway_api::{InstanceStatus, UrlRewriting};

use crate::names::Names;

/// The origin of a request before and after the mapping.
#[derive(Debug)]
pub(super) struct MappedOrigin {
    client: HeaderValue,
    /// The origins of the same page as the service knows them: with its usual and its present port.
    known: [HeaderValue; 2],
}

impl MappedOrigin {
    /// Maps the origin of a request to `service` if a frontend of the same instance sent it, from a
    /// page that it got from this gateway.
    pub(super) fn map(
        instance: &InstanceStatus,
        names: &Names,
        service: &str,
        is_tls: bool,
        headers: &mut HeaderMap,
    ) -> Option<Self> {
        let client = headers.get(header::ORIGIN)?.clone();
        let origin: Uri = client.to_str().ok()?.parse().ok()?;
        let requested: Uri = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
        let scheme = if is_tls { "https" } else { "http" };
        // A page from another port is not one of the gateway.
        if origin.scheme_str() != Some(scheme) || origin.port_u16() != requested.port_u16() {
            return None;
        }
        let target = names.resolve(&origin.host()?.to_ascii_lowercase())?;
        let frontend = target.service.as_deref()?;
        if target.instance != instance.id || frontend == service {
            return None;
        }
        let status = instance.service(frontend)?;
        let port = status.ports.first()?.port;
        let mut usual = instance.usual_ports.iter();
        let usual = usual.find(|usual| usual.service == frontend && usual.actual == port)?;
        if status.rewriting != UrlRewriting::Pages {
            return None;
        }
        let local = |port: u16| HeaderValue::try_from(format!("http://localhost:{port}")).ok();
        let known = [local(usual.port)?, local(usual.actual)?];
        headers.insert(header::ORIGIN, known[0].clone());
        Some(Self { client, known })
    }

    /// Replaces the origin that the service allows by that of the page.
    pub(super) fn restore(&self, headers: &mut HeaderMap) {
        let allowed = headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        if allowed.is_some_and(|allowed| self.known.contains(allowed)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.client.clone());
        }
    }
}
