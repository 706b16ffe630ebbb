//! The dashboard: plain HTML, CSS and JavaScript modules, in the binary as they are.
//!
//! What it shows it has from the API. Text of others comes into the page as text and never as
//! markup; the policy of [`crate::site`] would not let it in as anything else.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;

const PAGE: &str = include_str!("index.html");

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Its files: path, type, text.
const FILES: [(&str, &str, &str); 14] = [
    (
        "/colours.css",
        "text/css; charset=utf-8",
        include_str!("colours.css"),
    ),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("style.css"),
    ),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("/app.js", SCRIPT, include_str!("app.js")),
    ("/api.js", SCRIPT, include_str!("api.js")),
    ("/dom.js", SCRIPT, include_str!("dom.js")),
    ("/states.js", SCRIPT, include_str!("states.js")),
    ("/words.js", SCRIPT, include_str!("words.js")),
    ("/fields.js", SCRIPT, include_str!("fields.js")),
    ("/fixed.js", SCRIPT, include_str!("fixed.js")),
    ("/instances.js", SCRIPT, include_str!("instances.js")),
    ("/keys.js", SCRIPT, include_str!("keys.js")),
    ("/logs.js", SCRIPT, include_str!("logs.js")),
    ("/ports.js", SCRIPT, include_str!("ports.js")),
];

/// The page, which carries `token`, and its files.
pub(crate) fn router(token: &str) -> Router {
    let page = PAGE.replace("{token}", token);
    let mut router = Router::new().route("/", get(async move || Html(page)));
    for (path, kind, text) in FILES {
        router = router.route(path, get(async move || ([(CONTENT_TYPE, kind)], text)));
    }
    router
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands between `before` and the next quote, wherever it occurs in `text`.
    fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        let mut all = text.split(before);
        all.next();
        all.map(|rest| rest.split(['"', '\'']).next().unwrap_or_default())
            .collect()
    }

    #[test]
    fn every_file_that_is_asked_for_is_there_and_nothing_from_elsewhere() {
        let paths: Vec<&str> = FILES.iter().map(|(path, ..)| *path).collect();
        let mut asked = quoted(PAGE, "src=\"");
        asked.extend(quoted(PAGE, "<link rel=\"stylesheet\" href=\""));
        asked.extend(quoted(PAGE, "<link rel=\"icon\" href=\""));
        for (_, _, text) in FILES {
            asked.extend(quoted(text, "from \"."));
            assert!(!text.contains("innerHTML"), "text comes in as text");
        }
        assert!(asked.len() > FILES.len());
        for path in asked {
            assert!(paths.contains(&path), "{path}");
        }
    }
}
