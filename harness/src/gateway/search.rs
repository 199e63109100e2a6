//! A search of the registry, page by page: its hits, their total, and the way to the next page.

use serde_json::Value;
use url::Url;

use super::{
    Trouble,
    dialect::{Dialect, Spec, is_absolute},
};
use crate::catalog::CallName;

/// A version that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// The agent, unless the search was for one agent.
    pub(crate) slug: Option<String>,
    pub(crate) version: String,
}

impl SearchHit {
    /// Whether it is this version of this agent. Registries add an owner to a slug, or a `v` to a version.
    pub(crate) fn is(&self, slug: &str, version: &str) -> bool {
        self.is_of(slug) && bare(&self.version).eq_ignore_ascii_case(bare(version))
    }

    pub(crate) fn is_of(&self, slug: &str) -> bool {
        self.slug.as_deref().is_none_or(|own| {
            let name = own.rsplit('/').next().unwrap_or(own);
            own.eq_ignore_ascii_case(slug) || name.eq_ignore_ascii_case(slug)
        })
    }
}

/// A version without the `v` that some write before it.
fn bare(version: &str) -> &str {
    version.strip_prefix(['v', 'V']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(version)
}

/// The beginning of a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageStart {
    pub(super) pages_before: u32,
    pub(super) hits_before: usize,
    pub(super) cursor: Value,
    pub(super) link: Option<String>,
}

/// One page of hits.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchPage {
    pub(crate) hits: Vec<SearchHit>,
    /// Number of entries, which may have several versions each.
    pub(crate) entries: usize,
    /// Number of entries on all pages, if the answer names it.
    pub(crate) total: Option<u64>,
    /// The next page, if there is one and the dialect has a way to it.
    pub(crate) next: Option<PageStart>,
    /// Whether the answer points to a next page.
    pub(crate) points_on: bool,
}

impl Dialect {
    /// Whether each version is searched by itself.
    pub(crate) fn searches_by_version(&self) -> bool {
        self.call(CallName::Search).is_some_and(|spec| spec.has_place("version"))
    }

    /// Whether the pages after the first can be read.
    pub(crate) fn follows_pages(&self) -> bool {
        let has_pages = |spec: &Spec| ["page", "offset", "cursor"].iter().any(|place| spec.has_place(place));
        self.call(CallName::Search).is_some_and(|spec| has_pages(spec) || spec.pointers.contains_key("next"))
    }

    /// A page of hits; `None` where the answer has another shape.
    pub(crate) fn search_page(&self, found: &Value, start: &PageStart) -> Option<SearchPage> {
        let spec = self.call(CallName::Search)?;
        let entries: Vec<&Value> = match spec.find("hits", found)? {
            Value::Array(entries) => entries.iter().collect(),
            Value::Object(entries) => entries.values().collect(),
            _ => return None,
        };
        let hits: Vec<SearchHit> = entries.iter().flat_map(|entry| hits_of(spec, entry)).collect();
        let number = |total: &Value| total.as_u64().or_else(|| total.as_str()?.parse().ok());
        let total = spec.find("total", found).and_then(number);
        let hits_before = start.hits_before.saturating_add(entries.len());
        let next = spec.find("next", found).filter(|next| is_something(next));
        let is_last = entries.is_empty()
            || total.is_some_and(|total| hits_before as u64 >= total)
            || (spec.pointers.contains_key("next") && next.is_none());
        let follow =
            PageStart { pages_before: start.pages_before.saturating_add(1), hits_before, ..PageStart::default() };
        let points_on = next.is_some() && !is_last;
        let next = match next {
            _ if is_last => None,
            Some(cursor) if spec.has_place("cursor") => Some(PageStart { cursor: cursor.clone(), ..follow }),
            Some(Value::String(link)) if is_link(link) => Some(PageStart { link: Some(link.clone()), ..follow }),
            _ => (spec.has_place("page") || spec.has_place("offset")).then_some(follow),
        };
        Some(SearchPage { hits, entries: entries.len(), total, points_on, next })
    }
}

/// The versions of one entry of a search.
fn hits_of(spec: &Spec, entry: &Value) -> Vec<SearchHit> {
    let slug = match spec.find("slug", entry) {
        Some(Value::String(slug)) => Some(slug.clone()),
        // In a search for one agent, an entry need not name it.
        _ if spec.has_place("slug") => None,
        _ => return Vec::new(),
    };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    // `/versions/*/version`: of each of a list.
    let in_list = spec.pointers.get("version").and_then(|pointer| pointer.split_once("/*"));
    let versions: Vec<String> = match (in_list, spec.find("version", entry)) {
        (Some((list, in_each)), _) => {
            let items = entry.pointer(list).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| text(item.pointer(in_each)?)).collect()
        }
        (None, Some(Value::Array(versions))) => versions.iter().filter_map(text).collect(),
        (None, Some(Value::Object(versions))) => versions.keys().cloned().collect(),
        (None, version) => version.and_then(text).into_iter().collect(),
    };
    versions.into_iter().map(|version| SearchHit { slug: slug.clone(), version }).collect()
}

/// Whether a pointer to a next page leads to one.
fn is_something(next: &Value) -> bool {
    match next {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

fn is_link(text: &str) -> bool {
    text.starts_with(['/', '?']) || is_absolute(text)
}

/// The URL of a link in the answer to a URL. It must lead to the same gateway: the token goes with it.
pub(super) fn followed(asked: &str, link: &str) -> Result<String, Trouble> {
    let from = Url::parse(asked).map_err(|e| Trouble::new(format!("{asked}: {e}")))?;
    let to = from.join(link).map_err(|e| Trouble::new(format!("the link to the next page, {link:?}: {e}")))?;
    if to.origin() != from.origin() {
        return Err(Trouble::new(format!("the link to the next page leads to another gateway: {link:?}")));
    }
    Ok(to.into())
}

/// A URL without the parameter for the cursor, if there is no cursor yet: many gateways refuse an empty one.
pub(super) fn without_empty_cursor(url: String, template: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url };
    let parameters = template.split_once('?').map_or("", |(_, query)| query).split('&');
    let names: Vec<&str> = parameters.filter_map(|parameter| parameter.strip_suffix("={cursor}")).collect();
    let is_empty = |parameter: &str| parameter.strip_suffix('=').is_some_and(|name| names.contains(&name));
    let kept: Vec<&str> = query.split('&').filter(|parameter| !is_empty(parameter)).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::load_dialect;

    fn dialect(search: &str) -> Dialect {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("d.toml"), format!("[calls.search]\n{search}")).unwrap();
        load_dialect("d.toml", folder.path()).unwrap()
    }

    fn page(search: &str, answer: &Value, start: &PageStart) -> SearchPage {
        dialect(search).search_page(answer, start).unwrap()
    }

    fn hit(slug: &str, version: &str) -> Value {
        json!({ "slug": slug, "version": version })
    }

    #[test]
    fn hits_are_read_from_arrays_objects_and_lists_of_versions() {
        let first = PageStart::default();
        let found = |search: &str, answer: Value| {
            let hits = page(search, &answer, &first).hits;
            hits.into_iter().map(|hit| (hit.slug.unwrap_or_default(), hit.version)).collect::<Vec<_>>()
        };
        let is = |slug: &str, versions: &[&str]| -> Vec<(String, String)> {
            versions.iter().map(|version| (slug.to_owned(), (*version).to_owned())).collect()
        };
        assert_eq!(is("a", &["1"]), found("", json!({ "agents": [hit("a", "1"), { "slug": "b" }, 7] })));
        assert_eq!(is("a", &["1"]), found("hits = \"\"", json!([hit("a", "1")])));
        assert_eq!(is("a", &["1"]), found("", json!({ "agents": { "a@1": hit("a", "1") } })));
        let listed = json!({ "agents": [{ "slug": "a", "versions": ["1", "2"] }] });
        assert_eq!(is("a", &["1", "2"]), found("version = \"/versions\"", listed));
        let each =
            json!({ "agents": [{ "slug": "a", "versions": [{ "v": { "is": "1" } }, { "v": { "is": 2 } }, 7] }] });
        assert_eq!(is("a", &["1", "2"]), found("version = \"/versions/*/v/is\"", each));
        let keyed = json!({ "agents": [{ "slug": "a", "versions": { "1": {}, "2": {} } }] });
        assert_eq!(is("a", &["1", "2"]), found("version = \"/versions\"", keyed));
        assert_eq!(is("a", &["17"]), found("", json!({ "agents": [{ "slug": "a", "version": 17 }] })));
        let of_one = "path = \"/agents/{slug}/versions\"";
        assert_eq!(is("", &["1"]), found(of_one, json!({ "agents": [{ "version": "1" }] })));
        assert!(dialect("").search_page(&json!({ "agents": "none" }), &first).is_none());
    }

    #[test]
    fn a_hit_is_known_whatever_its_letters_and_not_by_a_part_of_it() {
        let hit = |slug: &str, version: &str| SearchHit { slug: Some(slug.to_owned()), version: version.to_owned() };
        assert!(hit("s2-soak-1", "1.0.3-17").is("s2-soak-1", "1.0.3-17"));
        assert!(hit("acme/S2-Soak-1", "v1.0.3-17").is("s2-soak-1", "1.0.3-17"));
        for (slug, version) in [("s2-soak-1", "1.0.3"), ("s2-soak-12", "1.0.3-17"), ("s2-soak", "1.0.3-17")] {
            assert!(!hit(slug, version).is("s2-soak-1", "1.0.3-17"), "{slug} {version}");
        }
    }

    #[test]
    fn pages_are_followed_by_number_offset_cursor_and_link_until_the_last() {
        let answer = json!({ "agents": [hit("a", "1"), hit("a", "2")], "total": 5, "next": "xyz" });
        let first = PageStart::default();
        let by = |search: &str| page(search, &answer, &first);
        // Without a key for paging nothing can be followed, and what is missing shows.
        let cut = by("");
        assert_eq!((None, Some(5), 2), (cut.next, cut.total, cut.entries));
        let next = by("path = \"/s?q={text}&page={page}\"").next.unwrap();
        assert_eq!((1, 2), (next.pages_before, next.hits_before));
        let third = PageStart { pages_before: 2, hits_before: 4, ..PageStart::default() };
        let last = json!({ "agents": [hit("a", "5")], "total": 5 });
        assert_eq!(None, page("path = \"/s?page={page}\"", &last, &third).next);
        let cursor = by("path = \"/s?c={cursor}\"\nnext = \"/next\"");
        assert_eq!((json!("xyz"), true), (cursor.next.unwrap().cursor, cursor.points_on));
        let end = json!({ "agents": [hit("a", "1")], "next": null });
        let end = page("path = \"/s?c={cursor}\"\nnext = \"/next\"", &end, &first);
        assert_eq!((None, false), (end.next, end.points_on));
        let linked = json!({ "agents": [hit("a", "1")], "next": "/s?page=2" });
        let linked = page("next = \"/next\"", &linked, &first).next.unwrap();
        assert_eq!(Some("/s?page=2".to_owned()), linked.link);
        // Pages that are empty are the last, whatever the total says.
        let empty = json!({ "agents": [], "total": 5 });
        assert_eq!(None, page("path = \"/s?page={page}\"", &empty, &first).next);
    }

    #[test]
    fn a_link_leads_to_the_same_gateway_or_nowhere() {
        let asked = "http://gateway:3000/base/api/agents?q=a";
        assert_eq!("http://gateway:3000/x?page=2", followed(asked, "/x?page=2").unwrap());
        assert_eq!("http://gateway:3000/base/api/agents?page=2", followed(asked, "?page=2").unwrap());
        assert!(followed(asked, "http://elsewhere/x").unwrap_err().text.contains("another gateway"));
    }

    #[test]
    fn an_empty_cursor_is_not_sent() {
        let template = "/s?q={text}&after={cursor}";
        assert_eq!("http://g/s?q=", without_empty_cursor("http://g/s?q=&after=".into(), template));
        assert_eq!("http://g/s?q=&after=7", without_empty_cursor("http://g/s?q=&after=7".into(), template));
        assert_eq!("http://g/s", without_empty_cursor("http://g/s?c=".into(), "/s?c={cursor}"));
    }
}
