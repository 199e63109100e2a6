//! The policy of a page: it runs only its own scripts and styles, known by their hashes, and nothing from the data.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{SCRIPT, STYLE, UPLOT, UPLOT_STYLE};

static OWN: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; script-src {} {}; style-src {} {}",
        hash(UPLOT),
        hash(SCRIPT),
        hash(UPLOT_STYLE),
        hash(STYLE)
    )
});

/// The page's policy (<https://www.w3.org/TR/CSP3/>). A live page may ask its own origin for updates.
pub(super) fn policy(is_live: bool) -> String {
    let connects = if is_live { "; connect-src 'self'" } else { "" };
    format!("{}{connects}", *OWN)
}

/// JSON that stays data inside a script element: the same JSON, without characters that HTML interprets.
pub(super) fn inert(json: &str) -> String {
    [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")]
        .into_iter()
        .fold(json.to_owned(), |json, (c, escape)| json.replace(c, escape))
}
