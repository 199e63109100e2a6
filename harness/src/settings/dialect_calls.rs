//! The part of a dialect that describes calls: method, path, headers, body, statuses, and where things are in the
//! answer.

use std::{collections::BTreeMap, ops::RangeInclusive};

use http::{HeaderName, Method};
use serde_json::Value as Json;
use url::Url;

use super::table::TableReader;
use crate::{
    catalog::CallName,
    gateway::dialect::{
        Codes, Habits, Has, Paging, Spec, Template, VERSION_PLACES, VersionForm, is_absolute, places_of_json,
    },
};

/// Bounds of `calls.search.page_size` and `calls.search.pages_max`: a soak publishes a few hundred versions at most.
const PAGE_SIZES: RangeInclusive<u32> = 1..=1_000;
const PAGES_MAX: RangeInclusive<u32> = 1..=1_000;
const PLACES_OF_HEADERS: [&str; 2] = ["workspace", "token"];

/// The headers of every call, or of one.
pub(super) fn headers(table: &mut TableReader<'_>) -> Vec<(HeaderName, Template)> {
    let mut headers: Vec<(HeaderName, Template)> = Vec::new();
    for key in table.keys() {
        let Some(text) = table.text(&key) else { continue };
        let Ok(name) = HeaderName::try_from(key.as_str()) else {
            table.problem(&key, "is no name that a header can have");
            continue;
        };
        let template = Template::read(&text);
        check_places(table, &key, template.places(), &PLACES_OF_HEADERS);
        // A file's headers come after its base's, perhaps in other letters. An empty one removes the base's.
        headers.retain(|(before, _)| *before != name);
        if !text.is_empty() {
            headers.push((name, template));
        }
    }
    headers
}

/// Each place must be one that is filled in.
fn check_places<'a>(table: &TableReader<'_>, key: &str, places: impl Iterator<Item = &'a str>, known: &[&str]) {
    for place in places.filter(|place| !known.contains(place)) {
        let known = known.iter().map(|known| format!("{{{known}}}")).collect::<Vec<_>>().join(", ");
        table.problem(key, format!("has a place {{{place}}}, which nothing is put into; here there are {known}"));
    }
}

/// One call.
pub(super) fn call(table: &mut TableReader<'_>, name: CallName) -> Has {
    let absent = table.text("absent");
    let part_of = table.text("part_of");
    let method = table.text("method").unwrap_or_else(|| "GET".into());
    let path = table.text("path").unwrap_or_default();
    let body = table.text("body");
    let [yes, refused, wait] = ["yes", "refused", "wait"].map(|key| table.statuses(key));
    let headers = table.within("headers", headers);
    let mut pointers = BTreeMap::new();
    for key in name.pointers() {
        // The whole answer may be the hits; it is never a total or a link to the next page.
        let is_optional = |pointer: &String| !(pointer.is_empty() && ["total", "next"].contains(key));
        if let Some(pointer) = table.text(key).filter(is_optional)
            && is_pointer(table, key, &pointer)
        {
            pointers.insert(*key, pointer);
        }
    }
    // Read even where the call is absent: the base has these keys.
    let habits = habits(table, name);
    if let Some(why) = absent {
        if why.trim().is_empty() {
            table.problem("absent", "gives no reason; say why, for whoever reads the results");
        } else if name.is_indispensable() {
            table.problem("absent", "S2 cannot do without this call; whatever does the same is as good");
        }
        Has::Absent(why.trim().to_owned())
    } else if let Some(whole) = part_of {
        if name == CallName::StartRun && whole == CallName::CreateRun.name() {
            Has::PartOf(CallName::CreateRun)
        } else {
            table.problem("part_of", format!("is {whole:?}; only `start_run` may be part of another: of `create_run`"));
            Has::Absent(String::new())
        }
    } else {
        let places: Vec<&str> = ["workspace"].iter().chain(name.places()).copied().collect();
        let template = Template::read(&path);
        if is_absolute(&path) && name.is_stream() {
            let right = "a stream is opened where the gateway is, so it should begin with a slash";
            table.problem("path", format!("is {path:?}; {right}"));
        } else if is_absolute(&path) && Url::parse(&path).is_err() {
            table.problem("path", format!("is {path:?}, which is no URL; http://127.0.0.1:9100/metrics would be one"));
        } else if !is_absolute(&path) && !path.starts_with('/') {
            let right = "it should begin with a slash, or with http:// where it is on another port";
            table.problem("path", format!("is {path:?}; {right}"));
        }
        check_places(table, "path", template.places(), &places);
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_else(|_| {
            table.problem("method", format!("is {method:?}; it should be GET, POST, PUT, PATCH or DELETE"));
            Method::GET
        });
        if name.is_stream() && method != Method::GET {
            table.problem("method", format!("is {method}; streams are opened with GET"));
        }
        for (key, statuses) in [("yes", &yes), ("refused", &refused), ("wait", &wait)] {
            if name.is_stream() && !statuses.is_empty() {
                let open = "a stream is open where 200 and text/event-stream come, and 429 with Retry-After is heeded";
                table.problem(key, format!("is not for streams: {open}"));
            }
        }
        let body = body.filter(|body| !body.is_empty()).and_then(|text| json(table, &text));
        let body_places: Vec<String> = body.iter().flat_map(places_of_json).collect();
        check_places(table, "body", body_places.iter().map(String::as_str), &places);
        if yes.is_empty() && !name.is_stream() {
            table.problem("yes", "names no status; it should say which mean that all is well: [200]");
        }
        let route = format!("{method} {}", path.split('?').next().unwrap_or(&path));
        Has::Call(Box::new(Spec { method, path: template, headers, body, yes, refused, wait, pointers, route, habits }))
    }
}

/// Keys of single calls.
fn habits(table: &mut TableReader<'_>, name: CallName) -> Habits {
    let mut habits = Habits::default();
    match name {
        CallName::Publish => match table.text("version_form").map(|text| VersionForm::read(&text)) {
            Some(Ok(form)) => {
                check_places(table, "version_form", form.unknown_places(), &VERSION_PLACES);
                habits.version_form = form;
            }
            Some(Err(why)) => table.problem("version_form", why),
            None => {}
        },
        CallName::Search => {
            let default = Paging::default();
            habits.paging = Paging {
                page_size: table.number("page_size", PAGE_SIZES, default.page_size),
                first_page: table.number("first_page", 0..=1, default.first_page),
                pages_max: table.number("pages_max", PAGES_MAX, default.pages_max),
            };
        }
        CallName::TogglePrivacy => match <[String; 2]>::try_from(table.words("storage")) {
            Ok(words) if words[0] != words[1] => habits.storage = words,
            _ => {
                let right =
                    "it should have two words, the first where runs are stored as they are: [\"plain\", \"hash_only\"]";
                table.problem("storage", right);
            }
        },
        CallName::CreateRun => {
            habits.refuses_personal_data = table.choice("personal_data", &[("masked", false), ("refused", true)]);
        }
        _ => {}
    }
    habits
}

fn json(table: &TableReader<'_>, text: &str) -> Option<Json> {
    serde_json::from_str(text).map_err(|e| table.problem("body", format!("is no JSON: {e}"))).ok()
}

/// RFC 6901: empty, or begins with a slash.
pub(super) fn is_pointer(table: &TableReader<'_>, key: &str, pointer: &str) -> bool {
    let is_right = pointer.is_empty() || pointer.starts_with('/');
    if !is_right {
        table.problem(key, format!("is {pointer:?}; a JSON pointer begins with a slash: \"/{pointer}\""));
    }
    is_right
}

/// The table `[answers]`.
pub(super) fn codes(table: &mut TableReader<'_>) -> Codes {
    let code = table.text("code").unwrap_or_default();
    is_pointer(table, "code", &code);
    let statuses = table.within("statuses", |table| {
        table.keys().into_iter().filter_map(|key| Some((key.clone(), table.status(&key)?))).collect()
    });
    Codes { code, statuses }
}

#[cfg(test)]
mod tests {
    use crate::settings::{built_in_dialect, load_dialect};

    #[test]
    fn codes_are_read_and_a_wrong_status_is_a_problem_with_its_line() {
        assert_eq!("", built_in_dialect().codes.code);
        let folder = tempfile::TempDir::new().unwrap();
        let load = |text: &str| {
            std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
            load_dialect("gateway.toml", folder.path()).map_err(|e| e.to_string())
        };
        let codes = load("[answers]\ncode = \"/code\"\n[answers.statuses]\n42203 = 403\nGONE = 410\n").unwrap().codes;
        assert_eq!(
            ("/code", Some(&403), Some(&410)),
            (&*codes.code, codes.statuses.get("42203"), codes.statuses.get("GONE"))
        );
        let error = load("[answers]\ncode = \"code\"\n[answers.statuses]\n42203 = 42203\n").unwrap_err();
        assert!(error.contains("gateway.toml:2: `answers.code` is \"code\"; a JSON pointer"), "{error}");
        assert!(error.contains("gateway.toml:4: `answers.statuses.42203` is 42203; it should be a status"), "{error}");
    }
}
