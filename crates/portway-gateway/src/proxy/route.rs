//! Paths that lead to other services than the main one.

use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use portway_api::PathRoute;

/// The route for a path: the longest of those that it lies in.
pub(crate) fn find<'a>(routes: &'a [PathRoute], path: &str) -> Option<&'a PathRoute> {
    routes
        .iter()
        .filter(|route| lies_in(path, &route.path))
        .max_by_key(|route| route.path.len())
}

/// Whether `path` is `prefix` or below it: `/api` has `/api/x` in it and not `/apiary`.
fn lies_in(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

/// What the route's service is asked for.
pub(crate) fn target(route: &PathRoute, uri: &Uri) -> Option<PathAndQuery> {
    let asked = uri.path_and_query()?;
    if !route.strip {
        return Some(asked.clone());
    }
    let rest = asked.as_str().strip_prefix(&route.path)?;
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
    fn the_longest_path_that_fits_by_whole_parts_wins() {
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
    fn a_path_is_kept_or_stripped() {
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
