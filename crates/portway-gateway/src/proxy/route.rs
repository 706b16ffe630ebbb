//! Path routes: paths on the main service's names that other services handle.

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::PathAndQuery;
use portway_api::PathRoute;

/// A request that a path route sends to another service.
pub(super) struct RoutedPath {
    pub(super) service: String,
    /// The path and query to request from the service.
    pub(super) path: Uri,
    /// The part of the client's path that the service does not get.
    pub(super) stripped_prefix: Option<HeaderValue>,
}

/// Applies the route with the longest path that contains the path of `uri`; `None` if no route does.
///
/// # Errors
/// If the path is not valid without the stripped prefix.
pub(super) fn apply(routes: &[PathRoute], uri: &Uri) -> Result<Option<RoutedPath>, ()> {
    let Some(route) = find(routes, uri.path()) else {
        return Ok(None);
    };
    let path = target(route, uri).ok_or(())?;
    let prefix = HeaderValue::from_str(&route.path).ok();
    Ok(Some(RoutedPath {
        service: route.service.clone(),
        path: Uri::from(path),
        stripped_prefix: prefix.filter(|_| route.strip),
    }))
}

/// Returns the route with the longest path that contains `path`.
fn find<'a>(routes: &'a [PathRoute], path: &str) -> Option<&'a PathRoute> {
    routes
        .iter()
        .filter(|route| is_below(path, &route.path))
        .max_by_key(|route| route.path.len())
}

/// Whether `path` is `prefix` or below it. `/api` contains `/api/x`, but not `/apiary`.
fn is_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

/// Returns the path and query to request from the route's service. `None` if it is not valid.
fn target(route: &PathRoute, uri: &Uri) -> Option<PathAndQuery> {
    let requested = uri.path_and_query()?;
    if !route.strip {
        return Some(requested.clone());
    }
    let rest = requested.as_str().strip_prefix(&route.path)?;
    let slash = if rest.starts_with('/') { "" } else { "/" };
    format!("{slash}{rest}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str, service: &str, strip: bool) -> PathRoute {
        PathRoute {
            path: path.to_owned(),
            service: service.to_owned(),
            strip,
        }
    }

    #[test]
    fn finds_the_longest_route_in_whole_segments() {
        let routes = [
            route("/api", "backend", false),
            route("/api/admin", "admin", false),
        ];
        for (path, service) in [
            ("/", None),
            ("/api", Some("backend")),
            ("/api/", Some("backend")),
            ("/api/items", Some("backend")),
            ("/apiary", None),
            ("/api/admin/x", Some("admin")),
            ("/api/administrators", Some("backend")),
            ("/API/items", None),
        ] {
            let found = find(&routes, path).map(|route| route.service.as_str());
            assert_eq!(found, service, "{path}");
        }
    }

    #[test]
    fn keeps_or_strips_the_path_of_the_route() {
        for (uri, strip, expected) in [
            ("/api/items?x=1", false, "/api/items?x=1"),
            ("/api/items?x=1", true, "/items?x=1"),
            ("/api", true, "/"),
            ("/api?x=1", true, "/?x=1"),
            ("/api//twice", true, "//twice"),
            ("http://jobi.localhost/api/items", true, "/items"),
        ] {
            let target = target(&route("/api", "b", strip), &uri.parse().unwrap());
            assert_eq!(target.unwrap().as_str(), expected, "{uri}");
        }
    }
}
