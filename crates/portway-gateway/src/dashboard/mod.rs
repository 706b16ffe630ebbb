//! The dashboard: static HTML, CSS and JavaScript, embedded in the binary.
//!
//! The page gets all its data from the API. It inserts text from services as text nodes only; the
//! content security policy in [`crate::site`] blocks markup and foreign scripts as well.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;

const PAGE: &str = include_str!("index.html");

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, media type and content of each file that the page loads.
const FILES: [(&str, &str, &str); 14] = [
    ("/colors.css", CSS, include_str!("colors.css")),
    ("/style.css", CSS, include_str!("style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("/app.js", JAVASCRIPT, include_str!("app.js")),
    ("/api.js", JAVASCRIPT, include_str!("api.js")),
    ("/dom.js", JAVASCRIPT, include_str!("dom.js")),
    ("/states.js", JAVASCRIPT, include_str!("states.js")),
    ("/format.js", JAVASCRIPT, include_str!("format.js")),
    ("/fields.js", JAVASCRIPT, include_str!("fields.js")),
    (
        "/fixed-ports.js",
        JAVASCRIPT,
        include_str!("fixed-ports.js"),
    ),
    ("/instances.js", JAVASCRIPT, include_str!("instances.js")),
    ("/keyboard.js", JAVASCRIPT, include_str!("keyboard.js")),
    ("/logs.js", JAVASCRIPT, include_str!("logs.js")),
    ("/ports.js", JAVASCRIPT, include_str!("ports.js")),
];

/// Serves the page, with `token` embedded, and its files.
pub(crate) fn router(token: &str) -> Router {
    let page = PAGE.replace("{token}", token);
    let mut router = Router::new().route("/", get(async move || Html(page)));
    for (path, media_type, content) in FILES {
        let handler = async move || ([(CONTENT_TYPE, media_type)], content);
        router = router.route(path, get(handler));
    }
    router
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the text between each occurrence of `prefix` and the next quote.
    fn quoted_after<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
        text.split(prefix)
            .skip(1)
            .map(|rest| rest.split(['"', '\'']).next().unwrap_or_default())
            .collect()
    }

    #[test]
    fn every_referenced_file_is_served() {
        let paths: Vec<&str> = FILES.iter().map(|(path, ..)| *path).collect();
        let mut references = quoted_after(PAGE, "src=\"");
        references.extend(quoted_after(PAGE, "<link rel=\"stylesheet\" href=\""));
        references.extend(quoted_after(PAGE, "<link rel=\"icon\" href=\""));
        for (_, _, content) in FILES {
            references.extend(quoted_after(content, "from \"."));
        }
        assert!(references.len() > FILES.len());
        for path in references {
            assert!(paths.contains(&path), "{path}");
        }
    }

    #[test]
    fn scripts_do_not_insert_markup() {
        for (path, _, content) in FILES {
            assert!(!content.contains("innerHTML"), "{path}");
        }
    }
}
