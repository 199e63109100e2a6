//! Dialects that several rows of the matrix need, as TOML: the difference from the contract.

/// What a gateway with a strict registry that shows pages, and with a safety layer that refuses personal data, is called with.
pub(crate) const STRICT: &str = r#"
[calls.create_run]
personal_data = "refused"
[calls.publish]
version_form = "1.0.{seconds}"
[calls.search]
path = "/api/registry/agents?q={text}&page={page}"
"#;

/// The dialect of a gateway whose events of log lines carry several.
pub(crate) const LINES: &str = "[events]\nlines = \"/lines\"\nmessage = \"/lines/0/message\"\n";

/// The dialect of a gateway that answers 200 to every call, with a code in the body.
pub(crate) const CODES: &str = r#"
[answers]
code = "/code"
[answers.statuses]
40000 = 400
40300 = 403
40400 = 404
50300 = 503
"#;
