//! Searches the registry for versions: page by page, and for each by itself if the list may have been cut short.

use crate::{
    catalog::{CallName, Workload},
    gateway::{Client, PageStart, SearchHit},
    session::Context,
};

/// A list without a total that is shorter than this is not taken for a page: no registry has pages of fewer hits.
const PAGE_MIN: usize = 5;
/// Versions that are searched by themselves in one look, because the list did not show them.
const NARROW_MAX: usize = 64;
/// Keys of the dialect that would show the hits that a search did not show.
const KEYS: &str = "the dialect can say how to reach the others: {page}, {offset} or {cursor} in calls.search.path, or \
                    {version} for a search of each version by itself";

/// The list that a search returned.
#[derive(Debug, Default)]
pub(super) struct Listing {
    hits: Vec<SearchHit>,
    entries: usize,
    /// Why there are more hits than were shown.
    cut: Option<String>,
    /// Whether it may be one page of several without saying so.
    may_be_a_page: bool,
    /// The last answer, in words.
    pub(super) answer: String,
}

/// Whether a version shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SearchResult {
    Found,
    Missing,
    /// It was not shown, and not everything was shown, for this reason.
    Unclear(String),
}

/// Lists the hits of a search for an agent; for one version of it if the dialect searches each by itself.
pub(super) async fn list(context: &Context, client: &Client, slug: &str, version: &str) -> Result<Listing, String> {
    let dialect = client.dialect();
    let pages_max = dialect.call(CallName::Search).map_or(1, |spec| spec.habits.paging.pages_max);
    let call = context.calls.of(Workload::Registry, CallName::Search, client.workspace());
    let mut listing = Listing::default();
    let mut start = PageStart::default();
    let mut first: Option<Vec<SearchHit>> = None;
    for page_number in 1..=pages_max {
        let answer = context.calls.outcome(call, || client.search_page(slug, slug, version, &start)).await?;
        listing.answer = answer.to_string();
        let Some(page) = answer.json().and_then(|json| dialect.search_page(&json, &start)) else { return Ok(listing) };
        if first.as_ref().is_some_and(|first| *first == page.hits && !first.is_empty()) {
            let again =
                "a further page is the first one again: the gateway does not heed what calls.search.path says of pages";
            listing.cut = Some(again.to_owned());
            return Ok(listing);
        }
        // Without a total, a page that is not full is the last.
        let is_short = page.total.is_none()
            && !page.points_on
            && first.as_ref().is_some_and(|first| page.hits.len() < first.len());
        listing.entries += page.entries;
        listing.hits.extend_from_slice(&page.hits);
        first.get_or_insert(page.hits);
        let shown = listing.entries;
        match page.next.filter(|_| !is_short) {
            Some(next) if page_number < pages_max => start = next,
            Some(_) => {
                listing.cut =
                    Some(format!("{shown} hits were shown on {pages_max} pages, as many as calls.search.pages_max"));
            }
            None if dialect.follows_pages() && page.entries == 0 => return Ok(listing),
            None => {
                let of_total = page.total.filter(|total| *total > shown as u64);
                listing.cut =
                    of_total.map(|total| format!("{shown} of {total} hits were shown; {KEYS}")).or_else(|| {
                        page.points_on.then(|| format!("{shown} hits were shown, and there is a next page; {KEYS}"))
                    });
                listing.may_be_a_page = page.total.is_none() && !dialect.follows_pages() && shown >= PAGE_MIN;
                return Ok(listing);
            }
        }
    }
    Ok(listing)
}

impl Listing {
    fn shows(&self, slug: &str, version: &str) -> bool {
        self.hits.iter().any(|hit| hit.is(slug, version))
    }

    /// Whether a version shows. `others` are the versions that should be there, in the order of their publication.
    ///
    /// A list without a total may be one page of several. That explains missing versions only at one end: a page shows
    /// the newest versions or the oldest, and does not leave one out in the middle.
    pub(super) fn sight(&self, slug: &str, version: &str, others: &[String]) -> SearchResult {
        if self.shows(slug, version) {
            return SearchResult::Found;
        }
        if let Some(cut) = &self.cut {
            return SearchResult::Unclear(cut.clone());
        }
        if !self.may_be_a_page {
            return SearchResult::Missing;
        }
        let place = others.iter().position(|other| other == version);
        let (before, after) = others.split_at(place.unwrap_or(others.len()));
        let shows_any = |versions: &[String]| versions.iter().any(|other| other != version && self.shows(slug, other));
        if shows_any(before) && shows_any(after) {
            return SearchResult::Missing;
        }
        SearchResult::Unclear(format!(
            "{} hits were shown, and calls.search.total does not lead to how many there are; {KEYS}",
            self.entries
        ))
    }
}

/// Looks for a version in a list, and by itself if the list may have been cut short.
pub(super) async fn look(
    context: &Context,
    client: &Client,
    (slug, version): (&str, &str),
    listing: &Listing,
    others: &[String],
) -> SearchResult {
    match listing.sight(slug, version, others) {
        SearchResult::Unclear(_) if finds_alone(context, client, slug, version).await => SearchResult::Found,
        sight => sight,
    }
}

/// Looks for versions from one workspace. Returns each result with the answer.
pub(super) async fn look_for_all(
    context: &Context,
    client: &Client,
    slug: &str,
    versions: &[String],
) -> Result<Vec<(SearchResult, String)>, String> {
    let mut sights = Vec::with_capacity(versions.len());
    if client.dialect().searches_by_version() {
        for version in versions {
            let listing = list(context, client, slug, version).await?;
            sights.push((listing.sight(slug, version, versions), listing.answer));
        }
        return Ok(sights);
    }
    let listing = list(context, client, slug, "").await?;
    let mut searched = 0;
    for version in versions {
        let mut sight = listing.sight(slug, version, versions);
        if matches!(sight, SearchResult::Unclear(_)) && searched < NARROW_MAX {
            searched += 1;
            sight = look(context, client, (slug, version), &listing, versions).await;
        }
        sights.push((sight, listing.answer.clone()));
    }
    Ok(sights)
}

/// Whether a search for a version by itself finds it. A gateway need not understand such a search: no hit proves
/// nothing, and a refusal is no error.
async fn finds_alone(context: &Context, client: &Client, slug: &str, version: &str) -> bool {
    let dialect = client.dialect();
    if dialect.searches_by_version() {
        return false;
    }
    // Each is narrower than the slug.
    for text in [format!("{slug} {version}"), version.to_owned(), format!("{slug}@{version}")] {
        context.calls.gate.pass().await;
        let start = PageStart::default();
        let answer = client.search_page(&text, slug, version, &start).await.ok();
        let json = answer.filter(|answer| client.is_yes(CallName::Search, answer)).and_then(|answer| answer.json());
        let page = json.and_then(|json| dialect.search_page(&json, &start));
        if page.is_some_and(|page| page.hits.iter().any(|hit| hit.is(slug, version))) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(numbers: std::ops::Range<u32>) -> Vec<String> {
        numbers.map(|n| format!("1.0.{n}-17")).collect()
    }

    fn listing(shown: &[String], cut: Option<&str>, may_be_a_page: bool) -> Listing {
        let hit = |version: &String| SearchHit { slug: Some("a".into()), version: version.clone() };
        let hits: Vec<SearchHit> = shown.iter().map(hit).collect();
        Listing { entries: hits.len(), hits, cut: cut.map(Into::into), may_be_a_page, answer: String::new() }
    }

    fn missing(listing: &Listing, all: &[String]) -> Vec<usize> {
        let lost =
            |(n, version): (usize, &String)| (listing.sight("a", version, all) == SearchResult::Missing).then_some(n);
        all.iter().enumerate().filter_map(lost).collect()
    }

    #[test]
    fn what_a_whole_list_does_not_show_is_missing() {
        let all = versions(0..8);
        assert_eq!(vec![0, 1, 2], missing(&listing(&all[3..], None, false), &all));
        assert_eq!(8, missing(&listing(&[], None, false), &all).len());
    }

    #[test]
    fn what_a_cut_list_does_not_show_is_unclear_and_says_which_key_helps() {
        let all = versions(0..12);
        let cut = listing(&all[2..], Some("10 of 12 hits were shown"), false);
        assert!(missing(&cut, &all).is_empty());
        assert_eq!(SearchResult::Unclear("10 of 12 hits were shown".into()), cut.sight("a", &all[0], &all));
        assert_eq!(SearchResult::Found, cut.sight("a", &all[2], &all));
    }

    #[test]
    fn a_page_that_does_not_say_so_explains_what_is_missing_at_an_end_and_not_in_the_middle() {
        let all = versions(0..12);
        assert!(missing(&listing(&all[2..], None, true), &all).is_empty());
        assert!(missing(&listing(&all[..10], None, true), &all).is_empty());
        let holed: Vec<String> = all[2..].iter().filter(|version| **version != all[6]).cloned().collect();
        assert_eq!(vec![6], missing(&listing(&holed, None, true), &all));
        let SearchResult::Unclear(why) = listing(&all[2..], None, true).sight("a", &all[0], &all) else {
            panic!("is clear")
        };
        assert!(why.starts_with("10 hits were shown, and calls.search.total does not lead"), "{why}");
    }
}
