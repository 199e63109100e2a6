//! The agents: those that exist everywhere, and the versions that were published.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::clock;
use crate::defect::Faults;
use crate::safety;

/// Agents that exist everywhere, with their summaries.
const BUILT_IN: [(&str, &str); 3] = [
    ("demo-enricher", "Enriches a record from what is known about it"),
    ("demo-scraper", "Reads a page and gives its facts"),
    ("demo-emailer", "Drafts an e-mail"),
];

/// Versions that one search lists at most, the newest first; `total` counts them all.
const LISTED_MAX: usize = 1_000;

/// Maximum size of the part of a readme that is kept, bytes. It bounds the registry in bytes.
const README_BYTES_MAX: usize = 4 << 10;

/// Data that a publisher sends.
#[derive(Deserialize)]
pub(crate) struct Manifest {
    pub(crate) slug: String,
    #[serde(default)]
    name: String,
    pub(crate) version: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    readme_md: String,
    #[serde(default)]
    publisher_id: String,
    #[serde(default)]
    workspace_id: String,
    signature: Option<String>,
}

/// A version of an agent.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    slug: String,
    name: String,
    version: String,
    summary: String,
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    readme_md: String,
    publisher_id: String,
    workspace_id: String,
    published_at: String,
    /// None until the store has it.
    #[serde(skip)]
    findable_from: Option<Instant>,
    /// Text that a search looks in, in lower case.
    #[serde(skip)]
    haystack: String,
}

/// Why a version was not published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PublishError {
    /// Slug or version are empty, or longer than they may be.
    Unnamed,
    /// The version is not of the form that is asked for; only by an oddity.
    OddVersion,
    /// The signature is not that of `slug@version`.
    Tampered,
    Published,
    Full,
}

/// The versions, from the oldest to the newest.
pub(crate) struct Registry {
    capacity: usize,
    index_delay: Duration,
    faults: Arc<Faults>,
    versions: Mutex<Vec<Version>>,
}

impl Registry {
    pub(crate) fn new(capacity: usize, index_delay: Duration, faults: Arc<Faults>) -> Self {
        Self { capacity, index_delay, faults, versions: Mutex::default() }
    }

    /// Takes a version, once; it is there when it is [shown](Self::show). Also says whether it has been tampered with,
    /// and is taken all the same.
    pub(crate) fn publish(&self, manifest: Manifest) -> Result<(Version, bool), PublishError> {
        let named = |text: &str| !text.is_empty() && text.len() <= 128;
        if !named(&manifest.slug) || !named(&manifest.version) {
            return Err(PublishError::Unnamed);
        }
        if self.faults.refuses_version(&manifest.version) {
            return Err(PublishError::OddVersion);
        }
        let coordinates = format!("{}@{}", manifest.slug, manifest.version);
        let expected = safety::sha256_hex(&coordinates);
        let is_signed = |signature: &String| {
            signature.eq_ignore_ascii_case(&expected) || self.faults.takes_for_signature(signature, &expected)
        };
        let is_tampered = !manifest.signature.as_ref().is_none_or(is_signed) && !self.faults.accepts_tampered();
        if is_tampered && !self.faults.publishes_rejected() {
            return Err(PublishError::Tampered);
        }

        let mut versions = self.lock();
        if versions.iter().any(|v| v.slug == manifest.slug && v.version == manifest.version) {
            return Err(PublishError::Published);
        }
        if versions.len() >= self.capacity {
            return Err(PublishError::Full);
        }
        let version = Version::new(manifest);
        versions.push(version.clone());
        Ok((version, is_tampered))
    }

    /// Shows a version that the store has: from now on it is there, and soon it is found.
    pub(crate) fn show(&self, version: &Version) {
        let findable_from = Some(clock::now() + self.faults.index_delay(self.index_delay));
        let mut versions = self.lock();
        let kept = versions.iter_mut().rev().find(|v| v.slug == version.slug && v.version == version.version);
        if let Some(kept) = kept {
            kept.findable_from = findable_from;
        }
    }

    /// Takes what a store has in place of all that is here but what is still on its way to it.
    pub(crate) fn replace(&self, stored: Vec<Version>) {
        let findable_from = Some(clock::now());
        let stored = stored.into_iter().map(|v| Version { findable_from, haystack: v.haystack(), ..v });
        let mut versions = self.lock();
        versions.retain(|v| v.findable_from.is_none());
        versions.splice(..0, stored);
    }

    /// The versions in which every word of `query` occurs: the newest ones first, as many as are listed, and how many
    /// there are. `asking` is the workspace that searches, to which a registry pays no heed; `page` is one of those that a
    /// search is divided into by an oddity, from 1.
    pub(crate) fn search(&self, query: &str, asking: &str, page: usize) -> (Vec<Version>, usize) {
        if self.faults.finds_nothing() {
            return (Vec::new(), 0);
        }
        let now = clock::now();
        let query = query.to_lowercase();
        let words: Vec<_> = query.split_whitespace().collect();
        let versions = self.lock();
        let is_there = |from: Instant| from <= now && !self.faults.forgets(now - from);
        let findable = |v: &Version| v.findable_from.is_some_and(is_there);
        let matches = |v: &Version| words.iter().all(|word| v.haystack.contains(word));
        let mut found: Vec<_> = versions.iter().rev().filter(|v| findable(v) && matches(v)).collect();
        let mut listed_slugs = HashSet::new();
        found.retain(|v| {
            let is_newest = listed_slugs.insert(v.slug.as_str());
            !self.faults.overlooks(is_newest, v.workspace_id == asking)
        });
        let listed = |v: &&Version| {
            let version = self.faults.spells_version(&v.version);
            Version { readme_md: String::new(), version, ..(*v).clone() }
        };
        let (skipped, shown) =
            self.faults.page_hits().map_or((0, LISTED_MAX), |hits| (page.saturating_sub(1).saturating_mul(hits), hits));
        (found.iter().skip(skipped).take(shown).map(listed).collect(), found.len())
    }

    /// Forgets every version; only by a defect.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    /// The newest version of an agent.
    pub(crate) fn agent(&self, slug: &str) -> Option<Version> {
        let versions = self.lock();
        let newest = versions.iter().rev().find(|v| v.findable_from.is_some() && v.slug == slug);
        newest.cloned().or_else(|| built_in(slug))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Version>> {
        self.versions.lock().expect("no holder panics")
    }
}

impl Version {
    fn new(manifest: Manifest) -> Self {
        let Manifest { slug, name, version, summary, tags, mut readme_md, publisher_id, workspace_id, signature: _ } =
            manifest;
        readme_md.truncate(readme_md.floor_char_boundary(README_BYTES_MAX));
        let published_at = clock::rfc3339_millis(clock::wall());
        let version = Self {
            slug,
            name,
            version,
            summary,
            tags,
            readme_md,
            publisher_id,
            workspace_id,
            published_at,
            findable_from: None,
            haystack: String::new(),
        };
        Self { haystack: version.haystack(), ..version }
    }

    fn haystack(&self) -> String {
        let Self { slug, name, version, summary, tags, .. } = self;
        format!("{slug}@{version} {name} {summary} {}", tags.join(" ")).to_lowercase()
    }
}

fn built_in(slug: &str) -> Option<Version> {
    let (slug, summary) = BUILT_IN.into_iter().find(|(built_in, _)| *built_in == slug)?;
    let manifest = Manifest {
        slug: slug.into(),
        name: slug.into(),
        version: "1.0.0".into(),
        summary: summary.into(),
        tags: vec!["demo".into()],
        readme_md: String::new(),
        publisher_id: "4runr".into(),
        workspace_id: String::new(),
        signature: None,
    };
    Some(Version::new(manifest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defect::{Defect, Defects};

    fn manifest(slug: &str, version: &str, signature: Option<&str>) -> Manifest {
        Manifest {
            slug: slug.into(),
            name: "Soak Agent".into(),
            version: version.into(),
            summary: "Published by a test".into(),
            tags: vec!["soak".into()],
            readme_md: "é".repeat(README_BYTES_MAX),
            publisher_id: "p".into(),
            workspace_id: "w".into(),
            signature: signature.map(Into::into),
        }
    }

    fn publish(registry: &Registry, manifest: Manifest) {
        let (version, _) = registry.publish(manifest).unwrap();
        registry.show(&version);
    }

    #[test]
    fn a_version_is_found_by_its_words_once_it_is_indexed() {
        let registry = Registry::new(4, Duration::ZERO, Faults::none());
        publish(&registry, manifest("one", "1.0.0-1", None));
        publish(&registry, manifest("two", "1.0.0-2", None));
        let slugs = |query: &str| registry.search(query, "w", 1).0.into_iter().map(|v| v.slug).collect::<Vec<_>>();
        assert_eq!(slugs("SOAK agent"), ["two", "one"]);
        assert_eq!(slugs("one@1.0.0-1"), ["one"]);
        assert_eq!(slugs("1.0.0-2"), ["two"]);
        assert!(slugs("three").is_empty());

        let slow = Registry::new(4, Duration::from_secs(60), Faults::none());
        publish(&slow, manifest("one", "1", None));
        assert_eq!(slow.search("one", "w", 1).1, 0);
    }

    #[test]
    fn a_signature_is_the_hash_of_slug_and_version() {
        let registry = Registry::new(4, Duration::ZERO, Faults::none());
        let signature = safety::sha256_hex("one@1");
        assert_eq!(registry.publish(manifest("one", "2", Some(&signature))).err(), Some(PublishError::Tampered));
        assert!(registry.publish(manifest("one", "1", Some(&signature))).is_ok());
    }

    #[test]
    fn a_version_is_published_once_and_only_while_there_is_room() {
        let registry = Registry::new(1, Duration::ZERO, Faults::none());
        publish(&registry, manifest("one", "1", None));
        assert_eq!(registry.publish(manifest("one", "1", None)).err(), Some(PublishError::Published));
        assert_eq!(registry.publish(manifest("one", "2", None)).err(), Some(PublishError::Full));
        assert_eq!(registry.publish(manifest("", "2", None)).err(), Some(PublishError::Unnamed));
    }

    #[test]
    fn the_newest_version_of_an_agent_is_the_agent() {
        let registry = Registry::new(4, Duration::ZERO, Faults::none());
        publish(&registry, manifest("one", "1", None));
        publish(&registry, manifest("one", "2", None));
        assert_eq!(registry.agent("one").unwrap().version, "2");
        assert!(registry.agent("demo-scraper").is_some());
        assert!(registry.agent("nobody").is_none());
    }

    #[test]
    fn what_a_store_has_takes_the_place_of_all_but_what_is_on_its_way_to_it() {
        let registry = Registry::new(4, Duration::ZERO, Faults::none());
        publish(&registry, manifest("lost", "1", None));
        let (on_its_way, _) = registry.publish(manifest("later", "1", None)).unwrap();
        let stored: Version =
            serde_json::from_str(&serde_json::to_string(&Version::new(manifest("kept", "1", None))).unwrap()).unwrap();
        registry.replace(vec![stored]);
        let found = || registry.search("soak", "w", 1).0.into_iter().map(|v| v.slug).collect::<Vec<_>>();
        assert_eq!(found(), ["kept"]);
        assert!(registry.agent("later").is_none());
        registry.show(&on_its_way);
        assert_eq!(found(), ["later", "kept"]);
    }

    #[tokio::test(start_paused = true)]
    async fn versions_are_found_late_or_forgotten_only_by_a_defect() {
        let found_after = async |defects: Defects| {
            let registry = Registry::new(4, Duration::ZERO, Arc::new(Faults::new(defects, 0)));
            publish(&registry, manifest("one", "1", None));
            let mut found = Vec::new();
            for _ in [0, 10, 20, 30] {
                found.push(registry.search("one", "w", 1).1 == 1);
                tokio::time::advance(Duration::from_secs(10)).await;
            }
            found
        };
        assert_eq!(found_after(Defects::default()).await, [true, true, true, true]);
        assert_eq!(found_after(Defect::SlowIndex.into()).await, [false, false, true, true]);
        assert_eq!(found_after(Defect::ForgetVersions.into()).await, [true, true, false, false]);
    }
}
