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

/// The page's policy (<https://www.w3.org/TR/CSP3/>). A live one may ask where it comes from for what is new.
pub(super) fn policy(is_live: bool) -> String {
    let connects = if is_live { "; connect-src 'self'" } else { "" };
    format!("{}{connects}", *OWN)
}

/// JSON that stays data inside of a script element, whatever is in its texts: the same JSON, without a character that
/// HTML would look at.
pub(super) fn inert(json: &str) -> String {
    let mut inert = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => inert.push_str("\\u003c"),
            '>' => inert.push_str("\\u003e"),
            '&' => inert.push_str("\\u0026"),
            '\u{2028}' => inert.push_str("\\u2028"),
            '\u{2029}' => inert.push_str("\\u2029"),
            other => inert.push(other),
        }
    }
    inert
}
