//! The registry: the form of its versions, and whether a search shows all hits.

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    checks::{Check, LOOK_EVERY, PATIENCE},
    hints::pointers,
};
use crate::{
    catalog::CallName,
    clock,
    gateway::{Answer, Manifest, PageStart, SearchHit, SearchPage, dialect::VersionForm},
};

const SLUG: &str = "s2-soak-preflight";
/// The strictest forms of registries, which are tried after a version is refused.
const STRICT_FORMS: [&str; 5] = [
    "1.0.{seconds}",
    "1.{seconds_high}.{seconds_low}",
    "v1.0.{seconds}",
    "{seconds}",
    "{year}.{month}.{day}-{second_of_day}",
];
/// Maximum number of versions that are published to test the search.
const VERSIONS_MAX: usize = 16;

impl Check<'_> {
    /// Publishes a version, and one that was tampered with; returns the first.
    pub(super) async fn publish(&mut self) -> Option<String> {
        let spec = self.spec(CallName::Publish)?;
        let form = spec.habits.version_form.clone();
        let mut stamp_ms = now_ms();
        let version = form.version(0, stamp_ms);
        let answer = self.try_once(CallName::Publish, &manifest(&version, false)).await;
        let is_form = answer.as_ref().is_some_and(|answer| matches!(answer.status, 400 | 409 | 422));
        if is_form && self.is_strict_about_versions(&version).await {
            return None;
        }
        let mut harmless = answer.filter(|answer| answer.is(&spec.yes));
        if harmless.is_none() {
            // Other errors are reported as for every call.
            stamp_ms += form.step_ms();
            harmless = Some(self.call(CallName::Publish, &manifest(&form.version(0, stamp_ms), false)).await?);
        }
        if spec.has_place("signature") {
            stamp_ms += form.step_ms();
            let answer = self.try_once(CallName::Publish, &manifest(&form.version(0, stamp_ms), true)).await;
            let what = "a manifest that was tampered with";
            if let Some(answer) = answer.filter(|answer| !answer.is(&spec.refused))
                && !self.is_refused_by_a_code(what, (&answer, harmless.as_ref()))
                && !answer.is(&spec.yes)
            {
                let what = format!("{what} is neither refused, {:?}, nor accepted", spec.refused);
                self.wrong(what, &["calls.publish.refused"], None);
            }
        }
        Some(version)
    }

    /// Whether the gateway accepts versions of another form.
    async fn is_strict_about_versions(&mut self, refused: &str) -> bool {
        for form in STRICT_FORMS {
            let Ok(version_form) = VersionForm::read(form) else { continue };
            let version = version_form.version(0, now_ms());
            let answer = self.try_once(CallName::Publish, &manifest(&version, false)).await;
            if answer.is_some_and(|answer| self.client.is_yes(CallName::Publish, &answer)) {
                let what = format!("the version {refused} was refused, and {version} accepted");
                let hint = format!("[calls.publish] version_form = {form:?}");
                self.wrong(what, &["calls.publish.version_form"], Some(hint));
                return true;
            }
        }
        false
    }

    /// Publishes as many versions as a soak, and searches for them.
    pub(super) async fn search(&mut self) -> Option<()> {
        let (slug, versions) = if self.dialect().has(CallName::Publish) {
            let first = self.publish().await?;
            (SLUG.to_owned(), self.publish_more(first).await)
        } else {
            (self.agent(), Vec::new())
        };
        let newest = versions.last().cloned().unwrap_or_default();
        let is_found = |hits: &[SearchHit], version: &str| {
            hits.iter().any(|hit| if version.is_empty() { hit.is_of(&slug) } else { hit.is(&slug, version) })
        };
        // A version may take a moment to appear.
        let limit = clock::now() + PATIENCE;
        while let Some((hits, _)) = self.pages(&slug, &newest).await
            && !is_found(&hits, &newest)
            && clock::now() < limit
        {
            sleep(LOOK_EVERY).await;
        }
        let mut fill = vec![("text", json!(slug)), ("slug", json!(slug)), ("version", json!(newest))];
        fill.extend(self.spec(CallName::Search)?.habits.paging.fill(0, 0, &json!("")));
        let answer = self.call(CallName::Search, &fill).await?;
        let is_list = |value: &Value| value.is_array() || value.is_object();
        let hits = self.find(CallName::Search, "hits", &answer, &["agents", "items", "hits", "results"], &is_list)?;
        let (all, page) = self.pages(&slug, &newest).await?;
        let by_version = self.dialect().searches_by_version();
        let missing = versions.iter().filter(|version| !by_version && !is_found(&all, version)).count();
        let first = hits.get(0).or_else(|| hits.as_object()?.values().next()).cloned().unwrap_or_default();
        if missing > 0 || page.total.is_some_and(|total| total > all.len() as u64 && all.len() == page.entries) {
            let several = pointers(&first, &["versions", "releases"], &|value| lists_several(value, &versions));
            let reads_several = self.spec(CallName::Search)?.pointers.get("version").is_some_and(|at| at.contains('*'));
            let several = several.filter(|_| !reads_several);
            self.shows_a_page_only(&answer, &page, several, (missing, versions.len(), all.len()));
        }
        if !is_found(&all, &newest) && missing <= 1 {
            let hint = pointers(&first, &["slug", "version", "release"], &Value::is_string);
            let what = format!("{slug} {newest} is not among the {} hits", all.len());
            self.wrong(what, &["calls.search.slug", "calls.search.version", "calls.search.path"], hint);
        }
        Some(())
    }

    /// Publishes further versions, up to the number of a soak.
    async fn publish_more(&mut self, first: String) -> Vec<String> {
        let scenario = &self.settings.scenario;
        let planned = scenario.registry.pulse.count(scenario.full_duration);
        let planned = usize::try_from(planned).unwrap_or(VERSIONS_MAX).min(VERSIONS_MAX);
        let form = self.spec(CallName::Publish).map(|spec| spec.habits.version_form).unwrap_or_default();
        let mut versions = vec![first];
        let mut stamp_ms = now_ms().saturating_add(3 * form.step_ms());
        while versions.len() < planned {
            let version = form.version(versions.len(), stamp_ms);
            stamp_ms = stamp_ms.saturating_add(form.step_ms());
            let answer = self.client.attempt(CallName::Publish, &manifest(&version, false)).await;
            if !answer.is_ok_and(|answer| self.client.is_yes(CallName::Publish, &answer)) {
                break;
            }
            versions.push(version);
        }
        versions
    }

    /// The hits of all pages, and the last page; none after a wrong answer.
    async fn pages(&self, slug: &str, version: &str) -> Option<(Vec<SearchHit>, SearchPage)> {
        let pages_max = self.dialect().call(CallName::Search)?.habits.paging.pages_max;
        let (mut start, mut hits) = (PageStart::default(), Vec::new());
        for _ in 1..=pages_max {
            let answer = self.client.search_page(slug, slug, version, &start).await.ok()?;
            let page = self.dialect().search_page(&answer.json()?, &start)?;
            hits.extend_from_slice(&page.hits);
            match &page.next {
                Some(next) if page.entries > 0 => start = next.clone(),
                _ => return Some((hits, page)),
            }
        }
        None
    }

    /// Records that a search shows less than it finds, and the lines of the dialect that lead to the rest.
    /// `several` leads to the versions of a hit that has more than one.
    fn shows_a_page_only(
        &mut self,
        answer: &Answer,
        page: &SearchPage,
        several: Option<String>,
        (missing, of, shown): (usize, usize, usize),
    ) {
        let json = answer.json().unwrap_or_default();
        let total = page.total.map_or_else(String::new, |total| format!("of {total} "));
        let what = format!("a search shows {shown} {total}hits, and {missing} of {of} versions are not among them");
        let mut hints = vec![
            "if it shows a page at a time: [calls.search] path with {page} (and `first_page`), {offset} or {cursor} (and \
             `next`), and {limit}; or with {version}, for a search of each version by itself"
                .to_owned(),
        ];
        if page.total.is_none()
            && let Some(hint) = pointers(&json, &["total", "count"], &Value::is_number)
        {
            hints.push(format!("`total`: {hint}"));
        }
        let is_cursor = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        if let Some(hint) = named(&json, &["next", "cursor"], &is_cursor) {
            hints.push(format!("`next`: {hint}"));
        }
        let mut keys = vec!["calls.search.path", "calls.search.total"];
        if let Some(hint) = several {
            keys.insert(0, "calls.search.version");
            hints.insert(
                0,
                format!("a hit lists several versions: `version`: {hint}; of objects, \"/versions/*/version\""),
            );
        }
        self.wrong(what, &keys, Some(hints.join("\n")));
    }
}

/// Whether a value of a hit lists more than one of these versions, as items or as keys.
fn lists_several(value: &Value, versions: &[String]) -> bool {
    let is_of_version = |item: &&Value| versions.iter().any(|version| item.to_string().contains(version.as_str()));
    let listed = match value {
        Value::Array(items) => items.iter().filter(is_of_version).count(),
        Value::Object(fields) => fields.keys().filter(|key| versions.contains(key)).count(),
        _ => 0,
    };
    listed > 1
}

/// Pointers to values outside the hits with one of these words in their key.
fn named(json: &Value, words: &[&str], is_so: &dyn Fn(&Value) -> bool) -> Option<String> {
    let has_word = |key: &String| words.iter().any(|word| key.to_lowercase().contains(word));
    let fields = json.as_object()?;
    let flat: serde_json::Map<String, Value> = fields
        .iter()
        .filter(|(key, value)| has_word(key) || value.as_object().is_some_and(|inner| inner.keys().any(has_word)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    pointers(&Value::Object(flat), words, is_so)
}

fn manifest(version: &str, tampered: bool) -> [(&'static str, Value); 3] {
    Manifest { slug: SLUG.to_owned(), version: version.to_owned(), tampered }.fill()
}

fn now_ms() -> u64 {
    u64::try_from(clock::wall_now().as_millisecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_versions_in_a_hit_is_recognised_in_each_form() {
        let versions = ["1.0.1-7".to_owned(), "1.0.2-8".to_owned()];
        let hits = [
            json!({ "slug": "a", "version": "1.0.2-8", "versions": ["1.0.1-7", "1.0.2-8"] }),
            json!({ "slug": "a", "releases": [{ "v": "1.0.1-7" }, { "v": "1.0.2-8" }] }),
            json!({ "slug": "a", "versions": { "1.0.1-7": {}, "1.0.2-8": {} } }),
        ];
        let hints = hits.map(|hit| pointers(&hit, &["versions"], &|value| lists_several(value, &versions)));
        for (hint, at) in hints.iter().zip(["/versions", "/releases", "/versions"]) {
            let hint = hint.as_deref().unwrap_or_default();
            assert!(hint.starts_with(&format!("it may be at {at:?} (")) && !hint.contains(", \"\""), "{hint}");
        }
        let one = json!({ "slug": "a", "version": "1.0.2-8", "versions": ["1.0.2-8"] });
        assert_eq!(None, pointers(&one, &["versions"], &|value| lists_several(value, &versions)));
    }
}
